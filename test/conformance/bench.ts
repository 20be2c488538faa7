import { MessageChannel, type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import test, { type ExecutionContext } from 'ava';
import {
  type Connection,
  type ConnectOptions,
  type Context,
  type ContextHandle,
  type ContextOptions,
  type ContextStatistics,
  createNode,
  type HeddleNode,
  type NodeOptions,
} from '../../src/index.js';
import { describeError, EventLog, recorder } from './event-log.js';
import type { PeerAnswer, PeerTools } from './fixtures/peer.js';
import type { TestedTransport } from './transports.js';

const peerUrl = new URL('./fixtures/peer.js', import.meta.url);
/** An emulated machine takes longer: the verbs lab says how long. */
const givenTimeoutMs = process.env.HEDDLE_TEST_TIMEOUT_MS;
const testTimeoutMs = Number(givenTimeoutMs ?? 30_000);
const patience: Partial<ContextOptions> =
  givenTimeoutMs === undefined
    ? {}
    : { connection: { requestTimeoutMs: testTimeoutMs, connectTimeoutMs: testTimeoutMs } };

/** A context on a thread of its own that runs what the test gives it. */
export class Peer {
  /** What it noted, and the events of its sessions. */
  readonly log = new EventLog(() => this.#takeIn());
  readonly handle: ContextHandle<unknown, ContextStatistics>;
  readonly #port: MessagePort;
  readonly #calls = new Map<number, { resolve(value: unknown): void; reject(error: unknown): void }>();
  #lastCall = 0;

  constructor(handle: ContextHandle<unknown, ContextStatistics>, port: MessagePort) {
    this.handle = handle;
    this.#port = port;
    port.on('message', (answer: PeerAnswer) => this.#take(answer));
  }

  #take(answer: PeerAnswer): void {
    if ('entry' in answer) {
      this.log.add(answer.entry);
      return;
    }
    const call = this.#calls.get(answer.id);
    this.#calls.delete(answer.id);
    if ('error' in answer) call?.reject(Object.assign(new Error(), answer.error));
    else call?.resolve(answer.value);
  }

  /** What was noted before a message was sent is in the port when that message arrives by another, faster way. */
  #takeIn(): void {
    for (let next = receiveMessageOnPort(this.#port); next !== undefined; next = receiveMessageOnPort(this.#port)) {
      this.#take(next.message as PeerAnswer);
    }
  }

  /**
   * Runs `body` in the context and resolves to what it returns. It goes there as source text: it sees its tools and its
   * argument, and nothing of the module that it is written in.
   */
  run<R, A = undefined>(body: (tools: PeerTools, argument: A) => R | Promise<R>, argument?: A): Promise<R> {
    const id = ++this.#lastCall;
    return new Promise((resolve, reject) => {
      this.#calls.set(id, { resolve: resolve as (value: unknown) => void, reject });
      this.#port.postMessage({ id, source: body.toString(), argument });
    });
  }

  /** Stops the context's thread dead until the returned function is called. */
  async block(): Promise<() => Promise<void>> {
    const gate = new Int32Array(new SharedArrayBuffer(8));
    const blocked = this.run((_tools, gate) => {
      Atomics.store(gate, 0, 1);
      Atomics.wait(gate, 1, 0);
    }, gate);
    while (Atomics.load(gate, 0) === 0) await turns(1);
    return () => {
      Atomics.store(gate, 1, 1);
      Atomics.notify(gate, 1);
      return blocked;
    };
  }

  close(): void {
    this.#port.close();
  }
}

/** What a test works with: a node, its own context, peers on other threads. All of it ends with the test. */
export class Bench {
  readonly t: ExecutionContext;
  readonly transport: TestedTransport;
  readonly node: HeddleNode;
  /** What the context of this thread reported. */
  readonly reports = new EventLog();

  constructor(t: ExecutionContext, transport: TestedTransport, options: NodeOptions = {}) {
    this.t = t;
    this.transport = transport;
    const { contextOptions } = transport;
    this.node = createNode({
      ...options,
      contextOptions: { ...patience, ...contextOptions, ...options.contextOptions },
    });
    // Contexts do not keep the process alive, and ava ends a test when nothing else does.
    const hold = setInterval(() => {}, 60_000);
    t.teardown(async () => {
      await this.node.close();
      clearInterval(hold);
    });
    this.context.on('report', (error) => this.reports.add({ type: 'report', ...describeError(error) }));
    this.context.on('leak', (leak) => this.reports.add({ type: 'leak', lengthBytes: leak.lengthBytes }));
  }

  /** The context of this thread. */
  get context(): Context {
    return this.node.context;
  }

  async peer(options: Partial<ContextOptions> = {}): Promise<Peer> {
    const { port1, port2 } = new MessageChannel();
    const handle = await this.node.startContext(peerUrl, {
      data: { port: port2 },
      transferList: [port2],
      options: { ...patience, ...this.transport.contextOptions, ...options },
      startTimeoutMs: testTimeoutMs,
    });
    const peer = new Peer(handle, port1);
    this.t.teardown(() => peer.close());
    return peer;
  }

  /** A peer that answers requests with what they carry, and notes one-way messages. */
  async echo(options: EchoOptions = {}): Promise<{ peer: Peer; uri: string }> {
    const peer = await this.peer(options.context);
    const uri = await peer.run(
      async ({ context, events, note, state }, { uri, connection }) => {
        state.server = await context.listen(uri, {
          ...events,
          options: connection,
          onRequest: (message) => message.value,
          onMessage: (message) => note('message', { value: message.value, more: message.more, serial: message.serial }),
        });
        return state.server.uri as string;
      },
      { uri: options.uri ?? this.transport.portal(), connection: options.connection ?? {} },
    );
    return { peer, uri };
  }

  /** A connection of this thread's context, with the log of its events. */
  async connect(uri: string, options: ConnectOptions = {}): Promise<{ connection: Connection; log: EventLog }> {
    const { log, handlers } = recorder();
    const connection = await this.context.connect(uri, { ...handlers, ...options });
    return { connection, log };
  }
}

interface EchoOptions {
  readonly uri?: string;
  readonly context?: Partial<ContextOptions>;
  readonly connection?: ConnectOptions['options'];
}

/** Registers a test of one row of the checklist over one transport. One at a time: each has threads of its own. */
export function row(
  transport: TestedTransport,
  title: string,
  body: (t: ExecutionContext, bench: Bench) => Promise<void>,
  options: NodeOptions = {},
): void {
  test.serial(`${title} [${transport.name}]`, async (t) => {
    t.timeout(testTimeoutMs);
    await body(t, new Bench(t, transport, options));
  });
}

/** Lets the event loop go round this often: for what must not happen meanwhile. */
export async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}
