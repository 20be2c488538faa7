import { EventEmitter } from 'node:events';
import { availableParallelism } from 'node:os';
import { longestTimerMs, systemClock } from '../../clock.js';
import { HeddleError, requireInteger, requireKnownOptions } from '../../errors.js';
import { adviseHugePages, preferNumaNode } from '../../native-system.js';
import { timeLimitMs } from '../../time-limits.js';
import { LazyTransport } from '../../transports/lazy-transport.js';
import type { RdmaTransport } from '../../transports/rdma/rdma-transport.js';
import type { RingPair } from '../../transports/shm/ring-pair.js';
import { ShmTransport } from '../../transports/shm/shm-transport.js';
import type { Link, Transport } from '../../transports/transport.js';
import type { LeakReport } from '../memory/leak-report.js';
import type { RegionHandle, RegionRight } from '../memory/region-handle.js';
import type { Region } from '../memory/region-table.js';
import type { SharedBuffer } from '../memory/shared-buffer.js';
import { SlabPool, type SlabPoolStatistics } from '../memory/slab-pool.js';
import { codecNamed } from '../message/codec-registry.js';
import { type ContextStatistics, readStatistics, StatisticsBlock, type UserCounter } from '../observe/statistics.js';
import type { ClientSession, ConnectOptions } from '../session/client-session.js';
import type { Connection } from '../session/connection.js';
import { requireNotEncoding } from '../session/encoding.js';
import type { RegionOperationOptions, RemoteRegion } from '../session/remote-region.js';
import type { ListenOptions, Server } from '../session/server.js';
import { SessionLayer } from '../session/session-layer.js';
import type { SessionTicket } from '../session/ticket.js';
import {
  type ContextOptions,
  changeLiveContextOptions,
  defaultContextOptions,
  mergeContextOptions,
} from './context-options.js';
import type { ContextInit, DirectedContext } from './context-runtime.js';
import { DutyCycle, type TurnWork } from './duty-cycle.js';
import { guardedWork } from './turn-work.js';

const availableCores = availableParallelism();
const defaultStopTimeoutMs = 5_000;

/** How a region is exported. */
export interface ExportRegionOptions {
  /** What peers may do with it: some of `read`, `write` and `atomics`. */
  readonly rights: readonly RegionRight[];
}

/** Events of a {@link Context}. */
export interface ContextEvents {
  /** Something unexpected that nobody waits for. Without a listener it becomes a process warning. */
  report: [error: HeddleError];
  /** A SharedBuffer that was not released: found when the context stopped, or when it was garbage collected. */
  leak: [leak: LeakReport];
  /** The context begins to stop: what it still holds should be closed. */
  stopping: [];
}

/**
 * One thread's share of heddle: an event loop with its connections and its memory. The main function of a context's
 * module receives it; the main thread's is `node.context`.
 *
 * It polls its links in turns between the thread's other events, so that timers, sockets and promises of the user's own
 * code run beside it as in any Node.js program.
 *
 * @example
 * // adder.js, started by node.startContext(new URL('./adder.js', import.meta.url))
 * export default async function main(context) {
 *   await context.listen('shm://adder', { onRequest: (message) => message.value.a + message.value.b });
 * }
 */
export class Context extends EventEmitter<ContextEvents> implements DirectedContext, AsyncDisposable {
  /** Number of the context in its node. */
  readonly id: number;
  /** The context's name, for messages to people. */
  readonly name: string;
  readonly #sessions: SessionLayer;
  readonly #dutyCycle: DutyCycle;
  readonly #pool: SlabPool;
  readonly #statistics: StatisticsBlock;
  readonly #transports: ReadonlyMap<string, Transport>;
  /** Those that are loaded: the ones to poll. Replaced, never changed. */
  #polledTransports: readonly Transport[];
  readonly #shm: ShmTransport;
  readonly #rdma: LazyTransport<RdmaTransport>;
  readonly #activity: Int32Array;
  readonly #outstandingWork: (() => boolean)[] = [];
  #options: ContextOptions;
  #stopping: Promise<void> | undefined;
  readonly #notHonoured = new Set<string>();
  #isStopped = false;

  /** @internal Contexts are made by a node. */
  constructor(init: ContextInit) {
    super();
    this.id = init.id;
    this.name = init.name;
    this.#activity = init.activity;
    const options = mergeContextOptions(defaultContextOptions, init.options as Partial<ContextOptions>);
    this.#options = options;
    this.#statistics = new StatisticsBlock(init.statisticsMemory);
    this.#pool = new SlabPool({
      contextId: init.id,
      slabCounter: init.slabCounter,
      limitBytes: options.slabLimitBytes,
      captureStacks: options.traceBuffers,
      onLeak: (leak) => this.#onLeak(leak),
      prepareMemory: (memory) => this.#prepareMemory(memory),
      onSlabForgotten: (slabId, memory) => {
        this.#sessions.wires.forgetSlab(slabId);
        this.#rdma.loaded?.forgetMemory(memory);
      },
    });
    this.#dutyCycle = new DutyCycle(
      {
        pollingMicros: options.pollingMicros,
        turnBudgetMicros: options.turnBudgetMicros,
        manualPolling: options.manualPolling,
      },
      {
        clock: systemClock,
        statistics: this.#statistics,
        transports: () => this.#polledTransports,
        publish: () => this.#sessions.wires.publishBatches(),
        isCrowded: () => this.#shm.awakeContexts > availableCores,
        onActivity: () => this.#noteActivity(),
        onSleep: () => this.#pool.watchHeld(),
      },
    );
    this.#sessions = new SessionLayer({
      contextId: init.id,
      clock: systemClock,
      codec: () => codecNamed(options.codec),
      statistics: this.#statistics,
      pool: this.#pool,
      secret: init.secret,
      transports: () => this.#transports,
      transportOptions: {
        frameBytes: options.frameBytes,
        socketBufferBytes: options.socketBufferBytes,
        typeOfService: options.typeOfService,
        tls: options.tls,
      },
      connectionOptions: options.connection,
      linkLingerMs: options.linkLingerMs,
      requestPublish: () => this.#dutyCycle.requestPublish(),
      endTurnSoon: () => this.#dutyCycle.endTurnSoon(),
      stayAwake: () => this.#dutyCycle.expect(),
      report: (error) => this.#report(error),
    });
    const host = {
      clock: systemClock,
      receiver: this.#sessions.receiver,
      onLink: (link: Link) => this.#sessions.wires.onLink(link),
      enterTurn: () => this.#dutyCycle.enterTurn(),
      leaveTurn: () => this.#dutyCycle.leaveTurn(),
      wake: () => this.#dutyCycle.wakeFromTransport(),
      onDoorbellRung: () => this.#statistics.add('doorbellsRung'),
      report: (error: HeddleError) => this.#report(error),
    };
    this.#shm = new ShmTransport(host, init.shm);
    const onLoaded = (transport: Transport) => this.#pollAlso(transport);
    const tcp = new LazyTransport(
      'tcp',
      async () => new (await import('../../transports/tcp/tcp-transport.js')).TcpTransport(host),
      onLoaded,
    );
    this.#rdma = new LazyTransport(
      'rdma',
      async () =>
        new (await import('../../transports/rdma/rdma-transport.js')).RdmaTransport(host, options.rdmaOneSided),
      onLoaded,
    );
    this.#transports = new Map<string, Transport>([
      [this.#shm.scheme, this.#shm],
      [tcp.scheme, tcp],
      [this.#rdma.scheme, this.#rdma],
    ]);
    this.#polledTransports = [this.#shm];
    this.#dutyCycle.start();
  }

  /**
   * Listens at `uri`: `shm://name` for contexts of this process, `tcp://host:port` for anyone who reaches it (loopback
   * unless a host is named; port 0 picks one, see `server.uri`).
   *
   * @throws ERR_HEDDLE_ADDRESS_IN_USE, ERR_HEDDLE_INVALID_URI, ERR_HEDDLE_INVALID_ARGUMENT
   */
  async listen(uri: string, options: ListenOptions = {}): Promise<Server> {
    this.#requireRunning();
    return this.#sessions.listen(uri, options);
  }

  /**
   * Opens a session with the service at `uri` and resolves to this context's connection in it, once it is online.
   *
   * @throws ERR_HEDDLE_REFUSED, ERR_HEDDLE_REJECTED, ERR_HEDDLE_TIMEOUT, ERR_HEDDLE_INVALID_URI
   */
  async connect(uri: string, options: ConnectOptions = {}): Promise<Connection> {
    return this.open(uri, options).connection.online;
  }

  /**
   * As {@link connect}, without waiting: what is sent on `session.connection` before it is online waits in its send queue.
   */
  open(uri: string, options: ConnectOptions = {}): ClientSession {
    this.#requireRunning();
    return this.#sessions.connect(uri, options);
  }

  /**
   * Takes part in a session that another context of this process opened, with a connection of this context's own: the
   * ticket comes from `session.ticket()` there. A context has one connection in a session.
   *
   * @throws ERR_HEDDLE_CONNECTION_EXISTS, and what {@link connect} throws
   */
  async join(ticket: SessionTicket, options: ConnectOptions = {}): Promise<Connection> {
    this.#requireRunning();
    return this.#sessions.join(ticket, options).connection.online;
  }

  /**
   * A buffer of shared memory, owned by the caller: sending it moves it to the receiver without a copy. Release it when
   * it is not sent.
   *
   * @throws ERR_HEDDLE_OUT_OF_MEMORY past the option `slabLimitBytes`
   */
  allocate(lengthBytes: number): SharedBuffer {
    this.#requireRunning();
    return this.#pool.allocate(lengthBytes);
  }

  /**
   * Lets peers reach the memory of a buffer without a message to this context's code: who gets `region.handle`, in a
   * message say, opens it and reads, writes or counts in it as `rights` allow. The buffer moves into the region, which
   * lasts until it is revoked, or until this context stops.
   *
   * @throws ERR_HEDDLE_INVALID_ARGUMENT, ERR_HEDDLE_BUFFER_RELEASED, ERR_HEDDLE_BUFFER_MOVED,
   * ERR_HEDDLE_OUT_OF_MEMORY past 65,536 regions
   */
  exportRegion(buffer: SharedBuffer, options: ExportRegionOptions): Region {
    this.#requireRunning();
    requireKnownOptions('exportRegion', options, ['rights']);
    return this.#sessions.exportRegion(buffer, options.rights);
  }

  /**
   * Opens a region by its handle, whoever sent it, by a connection that this context has with the owner; or one of this
   * context's own. Rejects as {@link Connection.openRegion} does, with ERR_HEDDLE_REGION_UNKNOWN when there is no
   * connection to the owner.
   */
  async openRegion(handle: RegionHandle, options: RegionOperationOptions = {}): Promise<RemoteRegion> {
    this.#requireRunning();
    return this.#sessions.openRegion(handle, options);
  }

  /** @internal Whether {@link openRegion} finds the owner of that region. */
  reaches(handle: RegionHandle): boolean {
    return this.#sessions.reaches(handle);
  }

  /** What the context's memory is doing. */
  get memory(): SlabPoolStatistics {
    return this.#pool.statistics();
  }

  /** What the context has counted so far. From another thread, ask the context's handle. */
  get statistics(): ContextStatistics {
    return readStatistics(this.#statistics.memory);
  }

  /** A counter of the program's own, shown with the context's statistics. At most 32; made on first mention. */
  counter(name: string): UserCounter {
    return this.#statistics.userCounter(name);
  }

  /**
   * Adds work that runs in every turn of the context, between the delivery of messages and the publishing of what they
   * sent. It should take a few microseconds at the most, and returns whether it has more to do: while it has, the context
   * does not sleep. `wake()` calls a sleeping context back to it.
   */
  addWork(work: TurnWork): void {
    this.#dutyCycle.addWork(guardedWork(work, (cause) => this.#sessions.reportThrown(cause)));
  }

  /** @internal Runs a callback of the user's: what it throws is reported, and harms nothing else. */
  guard(callback: () => void): void {
    this.#sessions.guard(callback);
  }

  /** @internal A promise was settled: the turn ends soon, so that its reactions run. */
  endTurnSoon(): void {
    this.#dutyCycle.endTurnSoon();
  }

  /** @internal Makes visible what was sent so far, in a turn that has more to do. */
  publishEarly(): void {
    this.#dutyCycle.publishEarly();
  }

  /** @internal Adds someone to ask whether something is under way that keeps the process from exiting by itself. */
  addOutstandingWork(probe: () => boolean): void {
    this.#outstandingWork.push(probe);
  }

  /** Ends the context's sleep, if it sleeps. */
  wake(): void {
    this.#dutyCycle.wake();
  }

  /**
   * One poll of all links by hand, with the delivery and publishing that go with it: for programs with an event loop of
   * their own, with the option `manualPolling`. Returns how many messages, and other records, came.
   */
  poll(): number {
    requireNotEncoding();
    const records = this.#dutyCycle.poll();
    if (records > 0) this.#noteActivity();
    return records;
  }

  /** Resolves to true when there is something to poll, or to false after `timeoutMs`: for programs that poll by hand. */
  async waitForWork(timeoutMs: number): Promise<boolean> {
    requireInteger('timeoutMs', timeoutMs, 0, longestTimerMs);
    return this.#dutyCycle.waitForWork(timeoutMs);
  }

  /** The options in force. */
  getOptions(): ContextOptions & Readonly<Record<string, unknown>> {
    return { ...this.#options, connection: this.#sessions.connectionOptions };
  }

  /** Changes live options. Throws ERR_HEDDLE_INVALID_ARGUMENT, and ERR_HEDDLE_INVALID_STATE for fixed ones. */
  setOptions(changes: Partial<ContextOptions>): void {
    this.#options = changeLiveContextOptions(this.#options, changes);
    if (changes.connection !== undefined) this.#sessions.setConnectionOptions(changes.connection);
    this.#dutyCycle.options.pollingMicros = this.#options.pollingMicros;
    this.#dutyCycle.options.turnBudgetMicros = this.#options.turnBudgetMicros;
  }

  /** Connections of this context, over all sessions. */
  get connectionCount(): number {
    return this.#sessions.connectionCount;
  }

  /**
   * Whether requests wait for responses, messages for being sent, or records in a ring for being delivered: those a
   * sleeping context has not been woken for yet, and its event loop does not show them.
   */
  hasOutstandingWork(): boolean {
    return this.#shm.hasWork() || this.#sessions.hasOutstandingWork || this.#outstandingWork.some((probe) => probe());
  }

  /** @internal */
  attach(pair: RingPair): void {
    this.#shm.attach(pair);
  }

  /** @internal */
  detach(peerContextId: number, error: HeddleError): void {
    this.#shm.detach(peerContextId, error);
    this.#pool.reclaimContext(peerContextId);
  }

  /**
   * Stops the context: closes its servers and sessions gracefully, within `timeoutMs` (default 5000), then its links.
   * Buffers that are still held are reported as leaks, by the event `leak` or a process warning.
   *
   * @throws ERR_HEDDLE_INVALID_ARGUMENT, at once, for a time that is no whole number of milliseconds from 0 on, and for other options
   */
  stop(options: { timeoutMs?: number } = {}): Promise<void> {
    const timeoutMs = timeLimitMs('stop', options, defaultStopTimeoutMs);
    this.#stopping ??= this.#stop(timeoutMs);
    return this.#stopping;
  }

  /** Stops the context: for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #stop(timeoutMs: number): Promise<void> {
    this.emit('stopping');
    let timer: NodeJS.Timeout | undefined;
    const timeIsUp = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, timeoutMs);
    });
    // Closing takes answers from peers, which a context that is polled by hand would not hear any more.
    this.#dutyCycle.takeOver();
    await Promise.race([this.#sessions.close(), timeIsUp]);
    clearTimeout(timer);
    this.#sessions.destroy();
    await Promise.all([...this.#transports.values()].map((transport) => transport.close()));
    this.#isStopped = true;
    this.#dutyCycle.stop();
    for (const leak of this.#pool.releaseAll()) this.#onLeak(leak);
  }

  #pollAlso(transport: Transport): void {
    this.#polledTransports = [...this.#polledTransports, transport];
    // A context that sleeps has not told this one that it does.
    this.#dutyCycle.wake();
  }

  #requireRunning(): void {
    if (this.#stopping === undefined) return;
    throw new HeddleError('ERR_HEDDLE_CLOSED', `context ${this.name} is ${this.#isStopped ? 'stopped' : 'stopping'}`);
  }

  #noteActivity(): void {
    // A plain store: who reads it asks twice and compares.
    this.#activity[0] = (this.#activity[0] + 1) | 0;
  }

  #report(error: HeddleError): void {
    this.#statistics.add('contextErrors');
    if (this.listenerCount('report') > 0) this.emit('report', error);
    else process.emitWarning(`context ${this.name}: ${error.message}`, { code: error.code, detail: error.stack ?? '' });
  }

  /** Slabs are the same, one and all: what cannot be had for the first is reported once. */
  #prepareMemory(memory: SharedArrayBuffer): void {
    const { hugePages, numaNode } = this.#options;
    const failures = [
      hugePages ? adviseHugePages(memory) : undefined,
      numaNode >= 0 ? preferNumaNode(memory, numaNode) : undefined,
    ];
    for (const failure of failures) {
      if (failure === undefined || this.#notHonoured.has(failure.message)) continue;
      this.#notHonoured.add(failure.message);
      this.#report(failure);
    }
  }

  #onLeak(leak: LeakReport): void {
    this.#statistics.add('sharedBuffersLeaked');
    if (this.listenerCount('leak') > 0) this.emit('leak', leak);
    else {
      process.emitWarning(
        `context ${this.name}: a SharedBuffer of ${leak.lengthBytes} bytes was never released (found when ` +
          `${leak.found === 'stop' ? 'the context stopped' : 'it was garbage collected'}); release() it, declare it with ` +
          `\`using\`, or send it${leak.stack === undefined ? '. The option traceBuffers tells where it came from' : `. ${leak.stack}`}`,
        { code: 'HEDDLE_BUFFER_LEAK' },
      );
    }
  }
}
