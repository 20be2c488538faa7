import { randomBytes } from 'node:crypto';
import { Agent, get, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import type { Connection, Context, Message, Region, RegionHandle, RemoteRegion, Server, SharedBuffer } from 'heddle';
import {
  type ClientGreeting,
  formatOffer,
  rdmaBytesField,
  rdmaField,
  type Segment,
  type ServerGreeting,
  type TransferMode,
} from './rdma-header.js';

/** Takes the bytes of a body, in order; they are valid until it returns, or its promise has settled. */
export type Sink = (bytes: Uint8Array) => void | Promise<void>;

/** How a client is made. */
export interface RdmaClientOptions {
  /** Where it waits for servers: `tcp://127.0.0.1:0`, `rdma://10.0.0.5:0`; at the address that its HTTP comes from. */
  readonly portal: string;
  readonly mode?: TransferMode;
  /** Segments of one session that may be on their way, and bytes of each. */
  readonly slots?: number;
  readonly slotBytes?: number;
}

/** What a download was. */
export interface Download {
  readonly status: number;
  readonly fields: IncomingHttpHeaders;
  readonly bytes: number;
  /** How the body came. */
  readonly by: 'rdma' | 'http';
}

/** An answer that is being received. */
interface Stream {
  readonly sink: Sink;
  bytes: number;
  /** Segments are handed to the sink one after the other, as they were announced. */
  tail: Promise<void>;
}

/** What the client keeps for each session that a server has opened. */
class Session {
  readonly landing: Region;
  readonly target: SharedBuffer;
  readonly greeting: ServerGreeting;
  staging: Promise<RemoteRegion> | undefined;
  #users = 0;
  #isOver = false;

  constructor(landing: Region, target: SharedBuffer, greeting: ServerGreeting) {
    this.landing = landing;
    this.target = target;
    this.greeting = greeting;
  }

  /** Runs something that uses the memory, which stays for so long. */
  async use(task: () => Promise<void>): Promise<void> {
    if (this.#isOver) throw new Error('the session has ended');
    this.#users++;
    try {
      await task();
    } finally {
      this.#users--;
      this.#releaseUnused();
    }
  }

  /** It has ended: a sink may have bytes of it still. */
  end(): void {
    this.#isOver = true;
    this.#releaseUnused();
  }

  #releaseUnused(): void {
    if (!this.#isOver || this.#users > 0 || !this.target.isHeld) return;
    this.landing.revoke();
    this.target.release();
  }
}

/**
 * A client that takes bodies by RDMA, over one HTTP connection that it keeps. Where the server does not offer that, or
 * cannot reach the client's portal, the body comes by HTTP, to the same sink.
 */
export class RdmaClient implements AsyncDisposable {
  readonly #options: Required<RdmaClientOptions>;
  readonly #token = randomBytes(16).toString('hex');
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  readonly #streams = new Map<number, Stream>();
  readonly #sessions = new Map<string, Session>();
  #portal!: Server;
  #nextStream = 1;

  private constructor(options: RdmaClientOptions) {
    this.#options = { mode: 'server-writes', slots: 4, slotBytes: 256 * 1024, ...options };
  }

  /** Opens the portal at which servers reach this client. */
  static async open(context: Context, options: RdmaClientOptions): Promise<RdmaClient> {
    const client = new RdmaClient(options);
    client.#portal = await context.listen(options.portal, {
      onSession: (request) => {
        const greeting = readGreeting(request.privateData, client.#token);
        if (greeting === undefined) {
          request.reject('this client has not asked for that');
          return;
        }
        const { slots, slotBytes } = client.#options;
        const landing = context.exportRegion(context.allocate(slots * slotBytes), { rights: ['write'] });
        const target = context.allocate(greeting.slotBytes);
        client.#sessions.set(request.sessionId, new Session(landing, target, greeting));
        const mine: ClientGreeting = { landing: landing.handle, slots, slotBytes };
        request.accept({ privateData: Buffer.from(JSON.stringify(mine)) });
      },
      onRequest: (message, connection) => client.#onSegment(message, connection),
      onEvent: (event) => {
        if (event.type === 'session-teardown') client.#forget(event.session.id);
      },
    });
    return client;
  }

  /** RDMA sessions that servers have opened with this client and that are there still. */
  get sessions(): number {
    return this.#sessions.size;
  }

  /** Gets a URL, and hands the body to the sink. Rejects when the body did not arrive whole, or the sink failed. */
  async get(url: string | URL, sink: Sink, { signal }: { signal?: AbortSignal } = {}): Promise<Download> {
    const stream: Stream = { sink, bytes: 0, tail: Promise.resolve() };
    const id = this.#nextStream++;
    this.#streams.set(id, stream);
    try {
      const response = await this.#ask(url, id, signal);
      const { statusCode: status = 0, headers: fields } = response;
      const by = fields[rdmaField] === undefined ? 'http' : 'rdma';
      if (by === 'http') for await (const bytes of response) await take(stream, bytes as Buffer);
      else await this.#finish(response, stream);
      return { status, fields, bytes: stream.bytes, by };
    } catch (error) {
      signal?.throwIfAborted();
      // When the sink has failed, the answer ended because of that.
      await stream.tail;
      throw error;
    } finally {
      this.#streams.delete(id);
    }
  }

  /** Ends its HTTP connection and all sessions. */
  async close(): Promise<void> {
    this.#agent.destroy();
    await this.#portal.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #ask(url: string | URL, stream: number, signal: AbortSignal | undefined): Promise<IncomingMessage> {
    const { mode } = this.#options;
    const offer = formatOffer({ uri: this.#portal.uri, token: this.#token, stream, mode });
    return new Promise((resolve, reject) => {
      get(url, { agent: this.#agent, headers: { [rdmaField]: offer }, signal }, resolve).on('error', reject);
    });
  }

  /** Waits for the end of an answer whose body comes by RDMA: the server sends it when every segment was taken. */
  async #finish(response: IncomingMessage, stream: Stream): Promise<void> {
    for await (const bytes of response) throw new Error(`${bytes.length} bytes came by HTTP, too`);
    await stream.tail;
    const expected = response.trailers[rdmaBytesField];
    if (expected !== String(stream.bytes)) throw new Error(`received ${stream.bytes} bytes of ${expected}`);
  }

  async #onSegment(message: Message, connection: Connection): Promise<undefined> {
    const session = this.#sessions.get(connection.session.id);
    const { stream: id, lengthBytes, place, offset } = message.value as Segment;
    const stream = this.#streams.get(id);
    if (session === undefined || stream === undefined) throw new Error(`nobody waits for stream=${id}`);
    const turn = stream.tail.then(() =>
      session.use(async () => {
        if (place === 'landing') await take(stream, slice(session.landing.bytes, offset, lengthBytes));
        else await take(stream, await this.#read(session, connection, place, offset, lengthBytes));
      }),
    );
    // Who waits for the stream learns of a failure there: from the server, which ends the HTTP answer.
    stream.tail = turn;
    turn.catch(() => {});
    await turn;
  }

  /** Reads a segment out of the server's memory. */
  async #read(
    session: Session,
    connection: Connection,
    place: 'staging' | RegionHandle,
    offset: number,
    lengthBytes: number,
  ): Promise<Uint8Array> {
    const bytes = slice(session.target.bytes, 0, lengthBytes);
    if (place === 'staging') {
      session.staging ??= connection.openRegion(session.greeting.staging);
      await (await session.staging).readInto(bytes, offset);
    } else {
      using region = await connection.openRegion(place);
      await region.readInto(bytes, offset);
    }
    return bytes;
  }

  #forget(sessionId: string): void {
    this.#sessions.get(sessionId)?.end();
    this.#sessions.delete(sessionId);
  }
}

async function take(stream: Stream, bytes: Uint8Array): Promise<void> {
  await stream.sink(bytes);
  stream.bytes += bytes.length;
}

/** What the other side says about lengths is checked before it is used. */
function slice(bytes: Buffer, offset: number, lengthBytes: number): Buffer {
  const isInside = Number.isInteger(offset) && Number.isInteger(lengthBytes) && offset >= 0 && lengthBytes >= 0;
  if (!isInside || offset + lengthBytes > bytes.length) {
    throw new RangeError(`a segment at offset=${offset} with lengthBytes=${lengthBytes} of ${bytes.length}`);
  }
  return bytes.subarray(offset, offset + lengthBytes);
}

/** What a server says that was asked by this client; undefined for all others. */
function readGreeting(data: Buffer, token: string): ServerGreeting | undefined {
  try {
    const greeting = JSON.parse(data.toString()) as Partial<ServerGreeting>;
    const { slotBytes } = greeting;
    const isSize = Number.isInteger(slotBytes) && slotBytes! > 0 && slotBytes! <= 2 ** 26;
    return greeting.token === token && isSize ? (greeting as ServerGreeting) : undefined;
  } catch {
    return undefined;
  }
}
