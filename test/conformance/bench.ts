import test, { type ExecutionContext } from 'ava';
import {
  type Connection,
  type ConnectionOptions,
  type ConnectOptions,
  type Context,
  type ContextOptions,
  createNode,
  defaultConnectionOptions,
  type HeddleNode,
  type NodeOptions,
} from '../../src/index.js';
import { describeError, EventLog, recorder } from './event-log.js';
import { type Peer, startThreadPeer } from './peer.js';
import { RemotePeer } from './remote-peer.js';
import type { TestedTransport } from './transports.js';

/** An emulated machine takes longer: the verbs lab says how long. */
const givenTimeoutMs = process.env.HEDDLE_TEST_TIMEOUT_MS;
const testTimeoutMs = Number(givenTimeoutMs ?? 30_000);
/** By how much everything may take longer there: times within which something has to happen are multiplied by it. */
export const slowness = givenTimeoutMs === undefined ? 1 : 20;
const patience: Partial<ContextOptions> =
  givenTimeoutMs === undefined
    ? {}
    : { connection: { requestTimeoutMs: testTimeoutMs, connectTimeoutMs: testTimeoutMs } };

/** What connections of a test begin with. */
export const initialOptions: ConnectionOptions = { ...defaultConnectionOptions, ...patience.connection };

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

  /** A context of its own: where the transport has its peers. */
  async peer(options: Partial<ContextOptions> = {}): Promise<Peer> {
    const { peersAt } = this.transport;
    if (peersAt === undefined) return this.threadPeer(options);
    const peer = await RemotePeer.start(await peersAt(), this.#peerOptions(options), testTimeoutMs);
    this.t.teardown(() => peer.close());
    return peer;
  }

  /** A context on another thread of this process, as one that joins a session has to be. */
  async threadPeer(options: Partial<ContextOptions> = {}): Promise<Peer> {
    const peer = await startThreadPeer(this.node, this.#peerOptions(options), testTimeoutMs);
    this.t.teardown(() => peer.close());
    return peer;
  }

  #peerOptions(options: Partial<ContextOptions>): Partial<ContextOptions> {
    return { ...patience, ...this.transport.contextOptions, ...options };
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
