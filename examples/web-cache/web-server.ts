import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import type { ActorSystem, RefOf } from 'heddle';
import { fileBody, objectBody, statusBody } from './answers.js';
import { BlockMemory } from './block-memory.js';
import type { CachedObject } from './cached-object.js';
import { type ConnectionHost, WebConnection } from './connection.js';
import { FileService } from './file-service.js';
import { type Loaded, Loader } from './loader.js';
import { ObjectCache } from './object-cache.js';
import { type RequestHead, RequestParser } from './request-parser.js';
import { isHidden, pathOfTarget } from './request-target.js';

/** How a server is made. */
export interface WebServerOptions {
  /** What is served: the files below this folder. */
  readonly folder: string;
  readonly host?: string;
  /** 0 picks one: see `port` of the server. */
  readonly port?: number;
  /** The most memory that cached files take. */
  readonly memoryBytes?: number;
  /** Files above it are read for each answer. Default: a quarter of the memory. */
  readonly maximumObjectBytes?: number;
  /** How long a cached file is answered with before its service looks whether it has changed. */
  readonly revalidateMs?: number;
  /** Different files that may be on their way into the cache; more are refused with 503. */
  readonly maximumLoads?: number;
  readonly maximumConnections?: number;
  readonly timeouts?: Partial<ConnectionHost['timeouts']>;
  /** The context that reads the files. */
  readonly fileContext?: string;
  /**
   * Decides when a request that has been read is answered: at once unless given. For comparisons with servers that queue
   * every request to someone.
   */
  readonly dispatch?: (request: RequestHead, answer: () => void) => void;
}

const kib = 1024;
const headLimits = { maximumHeadBytes: 16 * kib, maximumTargetBytes: 8 * kib, maximumFields: 100 };
const defaultTimeouts = { headMs: 10_000, idleMs: 60_000, stallMs: 60_000 };
const retryAfter = { 'Retry-After': '1' };

/** What a server has done so far. */
export interface WebServerCounts {
  hits: number;
  misses: number;
  /** Requests that did not arrive whole. */
  partialRequests: number;
  /** Heads that were copied because someone was reading the object's own. */
  headCopies: number;
  /** Answers that the service could not give, or could not take. */
  failures: number;
}

/** A static web server: hits in the sockets' data handlers, misses by way of an actor on another context. */
export class WebServer implements ConnectionHost, AsyncDisposable {
  readonly parser = new RequestParser(headLimits);
  readonly timeouts: ConnectionHost['timeouts'];
  readonly counts: WebServerCounts = { hits: 0, misses: 0, partialRequests: 0, headCopies: 0, failures: 0 };
  readonly cache: ObjectCache;
  readonly #loader: Loader;
  readonly #server: Server;
  readonly #connections = new Set<WebConnection>();
  readonly #revalidateMs: number;
  readonly #dispatch: WebServerOptions['dispatch'];
  readonly #sweep: NodeJS.Timeout;
  #onNoConnection: () => void = () => {};
  #closing: Promise<void> | undefined;

  private constructor(system: ActorSystem, files: RefOf<typeof FileService>, options: WebServerOptions) {
    const { memoryBytes = 64 * kib * kib, maximumLoads = 256, revalidateMs = 1000 } = options;
    const memory = new BlockMemory(system.node.context, memoryBytes);
    this.cache = new ObjectCache(memory);
    const maximumObjectBytes = options.maximumObjectBytes ?? memory.limitBytes / 4;
    this.#loader = new Loader(files, this.cache, { maximumObjectBytes, maximumLoads });
    this.#revalidateMs = revalidateMs;
    this.#dispatch = options.dispatch;
    this.timeouts = { ...defaultTimeouts, ...options.timeouts };
    this.#server = createServer({ allowHalfOpen: true }, (socket) => {
      this.#connections.add(new WebConnection(socket, this));
    });
    this.#server.maxConnections = options.maximumConnections ?? 10_000;
    const { headMs, idleMs, stallMs } = this.timeouts;
    const sweepMs = Math.min(1000, Math.max(10, Math.min(headMs, idleMs, stallMs) / 4));
    this.#sweep = setInterval(() => this.#checkTimeouts(), sweepMs);
  }

  /** Starts the service on its context, and listens. */
  static async start(system: ActorSystem, options: WebServerOptions): Promise<WebServer> {
    const { folder, host = '127.0.0.1', port = 0, fileContext } = options;
    const files = await system.spawn(FileService, { folder }, fileContext === undefined ? {} : { on: fileContext });
    const server = new WebServer(system, files, options);
    try {
      server.#server.listen(port, host);
      await once(server.#server, 'listening');
    } catch (error) {
      await server.close();
      throw error;
    }
    return server;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get connections(): number {
    return this.#connections.size;
  }

  /** Answers the request that the parser has just read. */
  answer(connection: WebConnection): void {
    const dispatch = this.#dispatch;
    if (dispatch === undefined) {
      this.#answer(connection, this.parser);
      return;
    }
    const request = this.parser.snapshot();
    const ticket = connection.wait();
    dispatch(request, () => {
      if (connection.expects(ticket)) this.#answer(connection, request);
    });
  }

  onPartialRequest(): void {
    this.counts.partialRequests++;
  }

  onClosed(connection: WebConnection): void {
    this.#connections.delete(connection);
    if (this.#connections.size === 0) this.#onNoConnection();
  }

  /** Stops listening, lets answers that are under way end for so long, and gives the memory back. */
  close({ timeoutMs = 2000 } = {}): Promise<void> {
    this.#closing ??= this.#close(timeoutMs);
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(timeoutMs: number): Promise<void> {
    const closed = this.#server.listening ? once(this.#server, 'close') : undefined;
    this.#server.close();
    // The server says that it is closed before its last connection does.
    const left = new Promise<void>((resolve) => {
      this.#onNoConnection = resolve;
      if (this.#connections.size === 0) resolve();
    });
    for (const connection of this.#connections) connection.finish();
    const timer = setTimeout(() => {
      for (const connection of this.#connections) connection.destroy();
    }, timeoutMs);
    await Promise.all([closed, left]);
    clearTimeout(timer);
    clearInterval(this.#sweep);
    await this.#loader.settled();
    this.cache.clear();
    this.cache.memory.close();
  }

  #answer(connection: WebConnection, request: RequestHead): void {
    const { method, target, keepAlive } = request;
    if (method !== 'GET' && method !== 'HEAD') {
      connection.send(statusBody(405, request, { Allow: 'GET, HEAD' }), keepAlive);
      return;
    }
    // A target that is a path already is found without being taken apart.
    const hit = this.cache.get(target);
    if (hit !== undefined) {
      this.#answerHit(connection, request, hit);
      return;
    }
    const path = pathOfTarget(target);
    if (path === undefined) connection.send(statusBody(400, request), keepAlive);
    else if (isHidden(path)) connection.send(statusBody(404, request), keepAlive);
    else {
      const object = this.cache.get(path);
      if (object !== undefined) this.#answerHit(connection, request, object);
      else void this.#answerMiss(connection, request, path);
    }
  }

  #answerHit(connection: WebConnection, request: RequestHead, object: CachedObject): void {
    const nowMs = Date.now();
    this.counts.hits++;
    object.isUsed = true;
    connection.send(this.#objectBody(object, request, nowMs), request.keepAlive);
    if (nowMs >= object.checkAtMs) this.#revalidate(object, nowMs);
  }

  #objectBody(object: CachedObject, request: RequestHead, nowMs: number) {
    return objectBody(object, request, Math.trunc(nowMs / 1000), () => {
      this.counts.headCopies++;
    });
  }

  async #answerMiss(connection: WebConnection, live: RequestHead, path: string): Promise<void> {
    const request = live instanceof RequestParser ? live.snapshot() : live;
    const ticket = connection.wait();
    this.counts.misses++;
    let loaded: Loaded;
    try {
      loaded = await this.#loader.load(path);
    } catch {
      loaded = { kind: 'busy' };
    }
    if (loaded.kind === 'object') loaded.object.checkAtMs = Date.now() + this.#revalidateMs;
    if (!connection.expects(ticket)) return;
    connection.send(this.#loadedBody(loaded, request, path), request.keepAlive);
  }

  #loadedBody(loaded: Loaded, request: RequestHead, path: string) {
    switch (loaded.kind) {
      case 'object':
        // Others may have needed its room since it came.
        if (loaded.object.isDropped) return fileBody(this.#loader, loaded.object.version, request);
        return this.#objectBody(loaded.object, request, Date.now());
      case 'uncached':
        return fileBody(this.#loader, loaded.version, request);
      case 'folder':
        return statusBody(301, request, { Location: `${encodeURI(path)}/` });
      case 'missing':
        return statusBody(404, request);
      case 'busy':
        this.counts.failures++;
        return statusBody(503, request, retryAfter);
    }
  }

  /** The object serves on meanwhile: nobody waits for the disk. */
  #revalidate(object: CachedObject, nowMs: number): void {
    object.checkAtMs = nowMs + this.#revalidateMs;
    void this.#loader.revalidate(object);
  }

  #checkTimeouts(): void {
    const nowMs = performance.now();
    for (const connection of this.#connections) connection.checkTimeouts(nowMs);
  }
}
