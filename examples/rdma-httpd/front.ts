import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Connection, Context, Message } from 'heddle';
import type { FrontPost, WorkerPost } from './front-messages.js';
import type { Fields } from './hooks.js';

/** How long a client may take for a piece of a body that comes by HTTP. */
const stallMs = 60_000;

/** Requests of one connection that may wait for the one before them. */
const maximumWaiting = 100;
/** What waits for a worker is bounded by the connections there may be, and their requests: nothing of it may be lost. */
const connectionOptions = { sendQueueDepthMessages: 1_000_000 };

interface Client {
  readonly id: number;
  readonly worker: FrontWorker;
  readonly socket: Socket;
  waiting: number;
}

/** The front's side of a worker: the connection to it, and the answers that it owes. */
class FrontWorker {
  readonly connection: Connection;
  readonly clients = new Set<Client>();
  readonly answers = new Map<number, ServerResponse>();

  constructor(connection: Connection) {
    this.connection = connection;
  }
}

/**
 * The sockets: takes HTTP connections in the main context and shares them out to the workers, which run the hooks. Node.js
 * cannot hand a socket to another thread, so heads come here as messages, and bodies as SharedBuffers that move.
 */
export class Front {
  readonly #context: Context;
  readonly #server: Server;
  readonly #workers: FrontWorker[] = [];
  readonly #clients = new WeakMap<Socket, Client>();
  #nextWorker = 0;
  #nextId = 1;

  constructor(context: Context) {
    this.#context = context;
    this.#server = createServer((request, response) => this.#onRequest(request, response));
    this.#server.on('connection', (socket) => this.#onConnection(socket));
    this.#server.maxConnections = 10_000;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async listen(port: number, host: string): Promise<void> {
    this.#server.listen(port, host);
    await once(this.#server, 'listening');
  }

  /** Adds a worker that listens there. Resolves with what resolves when it has gone. */
  async addWorker(uri: string): Promise<{ readonly ended: Promise<void> }> {
    const connection = await this.#context.connect(uri, {
      options: connectionOptions,
      onMessage: (message) => this.#onMessage(worker, message),
    });
    const worker = new FrontWorker(connection);
    this.#workers.push(worker);
    const ended = connection.ended.then(() => {
      this.#workers.splice(this.#workers.indexOf(worker), 1);
      // Nobody answers them any more.
      for (const { socket } of worker.clients) socket.destroy();
    });
    return { ended };
  }

  /** Stops listening, and ends all connections when their answers have ended, or `timeoutMs` is over. */
  async close(timeoutMs: number): Promise<void> {
    const closed = this.#server.listening ? once(this.#server, 'close') : undefined;
    this.#server.close();
    const timer = setTimeout(() => this.#server.closeAllConnections(), timeoutMs);
    await closed;
    clearTimeout(timer);
  }

  #onConnection(socket: Socket): void {
    const worker = this.#workers[this.#nextWorker++ % this.#workers.length];
    // The last one was lost, and the next is not there yet: requests are refused.
    if (worker === undefined) return;
    const client = { id: this.#nextId++, worker, socket, waiting: 0 };
    this.#clients.set(socket, client);
    worker.clients.add(client);
    const peerAddress = (socket.remoteAddress ?? '').replace(/^::ffff:/, '');
    this.#post(worker, { type: 'open', connection: client.id, peerAddress });
    socket.on('close', () => {
      worker.clients.delete(client);
      this.#post(worker, { type: 'close', connection: client.id });
    });
  }

  #onRequest(request: IncomingMessage, response: ServerResponse): void {
    const client = this.#clients.get(request.socket);
    if (client === undefined) {
      response.writeHead(503, { 'retry-after': '1', connection: 'close' }).end();
      return;
    }
    if (client.waiting >= maximumWaiting) {
      request.socket.destroy();
      return;
    }
    client.waiting++;
    request.resume();
    const id = this.#nextId++;
    const { worker } = client;
    worker.answers.set(id, response);
    response.on('close', () => {
      client.waiting--;
      worker.answers.delete(id);
    });
    const fields: Fields = {};
    for (const [name, value] of Object.entries(request.headers)) fields[name] = String(value);
    const { method = '', url: target = '' } = request;
    this.#post(worker, { type: 'request', connection: client.id, request: id, method, target, fields });
  }

  #post({ connection }: FrontWorker, post: FrontPost): void {
    if (connection.isOnline) connection.send(post);
  }

  #onMessage(worker: FrontWorker, message: Message): unknown {
    if (message.header.length === 4) return this.#onPiece(worker, message);
    const post = message.value as WorkerPost;
    const response = worker.answers.get(post.request);
    if (response === undefined) return undefined;
    if (post.type === 'head') {
      response.writeHead(post.status, post.fields);
      response.flushHeaders();
    } else if (post.type === 'end') {
      if (Object.keys(post.trailers).length > 0) response.addTrailers(post.trailers);
      response.end();
    } else response.socket?.destroy();
    return undefined;
  }

  /** A piece of a body: its receipt goes back when the socket has taken it. */
  #onPiece(worker: FrontWorker, message: Message): Promise<void> | undefined {
    const response = worker.answers.get(message.header.readUInt32LE());
    const buffer = message.takeBuffer();
    if (buffer === undefined) return undefined;
    if (response === undefined || response.destroyed) {
      message.refuseReceipt();
      buffer.release();
      return undefined;
    }
    return new Promise((resolve) => {
      const timer = setTimeout(() => response.socket?.destroy(), stallMs);
      const settle = (error?: Error | null) => {
        if (!buffer.isHeld) return;
        clearTimeout(timer);
        response.off('close', settle);
        buffer.release();
        // The worker learns that the client has gone.
        if (error || response.destroyed) message.refuseReceipt();
        resolve();
      };
      // Whichever comes first: the memory is the socket's until then.
      response.on('close', settle);
      response.write(buffer.bytes, settle);
    });
  }
}
