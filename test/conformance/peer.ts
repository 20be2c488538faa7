import { MessageChannel, type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import type { ContextEnd, ContextHandle, ContextOptions, ContextStatistics, HeddleNode } from '../../src/index.js';
import { EventLog, type LogEntry } from './event-log.js';
import type { PeerAnswer, PeerRequest, PeerTools } from './fixtures/peer.js';

const peerUrl = new URL('./fixtures/peer.js', import.meta.url);

/** What a test does with a peer's context from outside. */
export interface PeerHandle {
  stop(): Promise<ContextEnd>;
  terminate(): Promise<ContextEnd>;
  statistics(): Promise<ContextStatistics>;
  getOptions(): Promise<ContextOptions>;
  setOptions(changes: Partial<ContextOptions>): Promise<void>;
}

/** A context elsewhere that runs what the test gives it. */
export abstract class Peer {
  /** What it noted, and the events of its sessions. */
  readonly log = new EventLog(() => this.#takeIn());
  /** Is told of what is added to the log. */
  readonly #onNote: ((entry: LogEntry) => void) | undefined;
  abstract readonly handle: PeerHandle;
  readonly #port: MessagePort;
  readonly #calls = new Map<number, { resolve(value: unknown): void; reject(error: unknown): void }>();
  #lastCall = 0;

  protected constructor(port: MessagePort, onNote?: (entry: LogEntry) => void) {
    this.#port = port;
    this.#onNote = onNote;
    port.on('message', (answer: PeerAnswer) => this.#take(answer));
    port.on('close', () => {
      for (const { reject } of this.#calls.values()) reject(new Error('the peer is gone'));
    });
  }

  /** Stops the context's thread dead until the returned function is called. */
  abstract block(): Promise<() => Promise<void>>;

  /**
   * Runs `body` in the context and resolves to what it returns. It goes there as source text: it sees its tools and its
   * argument, and nothing of the module that it is written in.
   */
  run<R, A = undefined>(body: (tools: PeerTools, argument: A) => R | Promise<R>, argument?: A): Promise<R> {
    return this.call(body.toString(), argument) as Promise<R>;
  }

  /** As {@link run}, for a function that is source text already. */
  call(source: string, argument: unknown): Promise<unknown> {
    return this.ask({ source, argument });
  }

  close(): void | Promise<void> {
    // Who closes it waits for nothing.
    this.#calls.clear();
    this.#port.close();
  }

  protected ask(question: PeerRequest): Promise<unknown> {
    const id = ++this.#lastCall;
    return new Promise((resolve, reject) => {
      this.#calls.set(id, { resolve, reject });
      this.#port.postMessage({ ...question, id });
    });
  }

  /** Sees to it that all that the context has noted up to now is in the port. */
  protected fetchNotes(): void {}

  #take(answer: PeerAnswer): void {
    if ('entry' in answer) {
      this.log.add(answer.entry);
      this.#onNote?.(answer.entry);
      return;
    }
    const call = this.#calls.get(answer.id);
    this.#calls.delete(answer.id);
    if ('error' in answer) call?.reject(Object.assign(new Error(), answer.error));
    else call?.resolve(answer.value);
  }

  /** What was noted before a message was sent counts as noted when that message arrives by another, faster way. */
  #takeIn(): void {
    this.fetchNotes();
    for (let next = receiveMessageOnPort(this.#port); next !== undefined; next = receiveMessageOnPort(this.#port)) {
      this.#take(next.message as PeerAnswer);
    }
  }
}

/** Starts a context on another thread of this process, to be a peer. */
export async function startThreadPeer(
  node: HeddleNode,
  options: Partial<ContextOptions>,
  startTimeoutMs: number,
  onNote?: (entry: LogEntry) => void,
): Promise<ThreadPeer> {
  const { port1, port2 } = new MessageChannel();
  const start = { data: { port: port2 }, transferList: [port2], options, startTimeoutMs };
  return new ThreadPeer(await node.startContext(peerUrl, start), port1, onNote);
}

/** A peer on another thread of this process. */
export class ThreadPeer extends Peer {
  readonly handle: PeerHandle;

  constructor(
    handle: ContextHandle<unknown, ContextStatistics>,
    port: MessagePort,
    onNote?: (entry: LogEntry) => void,
  ) {
    super(port, onNote);
    this.handle = {
      stop: () => handle.stop(),
      terminate: () => handle.terminate(),
      statistics: async () => handle.statistics(),
      getOptions: () => handle.getOptions(),
      setOptions: (changes) => handle.setOptions(changes),
    };
  }

  async block(): Promise<() => Promise<void>> {
    const gate = new Int32Array(new SharedArrayBuffer(8));
    const blocked = this.run((_tools, gate) => {
      Atomics.store(gate, 0, 1);
      Atomics.wait(gate, 1, 0);
    }, gate);
    while (Atomics.load(gate, 0) === 0) await new Promise((resolve) => setImmediate(resolve));
    return () => {
      Atomics.store(gate, 1, 1);
      Atomics.notify(gate, 1);
      return blocked;
    };
  }
}
