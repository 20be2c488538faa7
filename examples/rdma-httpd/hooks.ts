import type { FileHandle } from 'node:fs/promises';
import type { Context, SharedBuffer } from 'heddle';
import type { ServerConfig } from './config.js';

/** A segment of an answer's body: each kind says who owns the bytes, and for how long. */
export type Bucket =
  /** Bytes of an open file: its descriptor is the producer's, who closes it when the bucket was taken. */
  | { readonly kind: 'file'; readonly file: FileHandle; readonly offset: number; readonly lengthBytes: number }
  /** Bytes that a handler has made: the buffer belongs to who takes the bucket, and nobody changes it any more. */
  | { readonly kind: 'heap'; readonly buffer: SharedBuffer }
  /** Bytes that the producer uses again as soon as the bucket was taken: they have to be copied. */
  | { readonly kind: 'transient'; readonly bytes: Uint8Array };

/** Field lines of HTTP, by their names in lower case. */
export type Fields = Record<string, string>;

/** The head of an answer. */
export interface AnswerHead {
  readonly status: number;
  readonly fields: Fields;
}

/** What an answer passes through on its way out: each filter changes it, ships it, or passes it on to the next. */
export interface OutputFilter {
  head(head: AnswerHead): void | Promise<void>;
  /** Takes a segment: resolves when the next one may come. */
  write(bucket: Bucket): Promise<void>;
  /** The end of the stream, with field lines that come behind the body. */
  end(trailers: Fields): Promise<void>;
}

/** One HTTP connection, in the worker that serves it. */
export interface HttpConnection {
  readonly id: number;
  readonly worker: Worker;
  /** The client's address, without a port. */
  readonly peerAddress: string;
  /** Aborted when the client has gone. */
  readonly signal: AbortSignal;
  /** For hooks to add to: outermost first. A filter that has nothing to do with a request returns `next`. */
  readonly outputFilters: ((request: HttpRequest, next: OutputFilter) => OutputFilter)[];
  /** For hooks to add to: run when the client has gone, and what was under way for it has ended. */
  readonly cleanups: (() => void | Promise<void>)[];
}

/** One request on it. Requests of a connection are served one after the other. */
export interface HttpRequest {
  readonly id: number;
  readonly connection: HttpConnection;
  readonly method: string;
  readonly target: string;
  readonly fields: Readonly<Fields>;
}

/** What a handler answers. */
export interface Answer extends AnswerHead {
  /** Not begun for a HEAD. */
  readonly body: AsyncIterable<Bucket>;
}

/** A worker context of the server. */
export interface Worker {
  readonly context: Context;
  readonly config: ServerConfig;
}

/** What a module hooks on to, as the modules of Apache do: everything is optional, and called in the order of the modules. */
export interface Module {
  readonly name: string;
  /** Once, in the main context, before anything runs: throws when the configuration cannot be served. */
  postConfig?(config: ServerConfig): void | Promise<void>;
  /** Once in each worker context, before its first connection. */
  childInit?(worker: Worker): void | Promise<void>;
  /** At the start of each HTTP connection. */
  preConnection?(connection: HttpConnection): void;
  /** For each request, when its head was read. */
  insertFilter?(request: HttpRequest): void | Promise<void>;
  /** Answers the request, or returns undefined to leave it to the next module. */
  handle?(request: HttpRequest): Promise<Answer | undefined>;
}

/** The modules of a server, called hook by hook. */
export class HookChain {
  readonly #modules: readonly Module[];

  constructor(modules: readonly Module[]) {
    this.#modules = modules;
  }

  async postConfig(config: ServerConfig): Promise<void> {
    for (const module of this.#modules) await module.postConfig?.(config);
  }

  async childInit(worker: Worker): Promise<void> {
    for (const module of this.#modules) await module.childInit?.(worker);
  }

  preConnection(connection: HttpConnection): void {
    for (const module of this.#modules) module.preConnection?.(connection);
  }

  async insertFilter(request: HttpRequest): Promise<void> {
    for (const module of this.#modules) await module.insertFilter?.(request);
  }

  async handle(request: HttpRequest): Promise<Answer> {
    for (const module of this.#modules) {
      const answer = await module.handle?.(request);
      if (answer !== undefined) return answer;
    }
    throw new Error(`no module answers ${request.method} ${request.target}`);
  }
}
