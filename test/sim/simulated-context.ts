import type { HeddleError } from '../../src/errors.js';
import { SlabPool } from '../../src/runtime/memory/slab-pool.js';
import { compactCodec } from '../../src/runtime/message/codec.js';
import { StatisticsBlock } from '../../src/runtime/observe/statistics.js';
import type { ConnectionOptions } from '../../src/runtime/session/options.js';
import { SessionLayer } from '../../src/runtime/session/session-layer.js';
import type { TransportHost } from '../../src/transports/transport.js';
import { SimulatedClock, type Simulation } from './simulated-clock.js';
import { type NetworkNode, type SimulatedNetwork, SimulatedTransport } from './simulated-network.js';

const secret = Buffer.from('the contexts of a simulation trust each other');
const slabCounter = new SharedArrayBuffer(8);
/** Making a slab takes longer than a simulation does: pools whose buffers have all come back are used again. */
const idlePools = new Map<number, SlabPool>();
const slabLimitBytes = 64 * 1024 * 1024;

/** A context without a thread: the session layer as it is, on simulated time and wires. */
export class SimulatedContext implements NetworkNode {
  readonly id: number;
  readonly clock: SimulatedClock;
  readonly pool: SlabPool;
  readonly statistics = new StatisticsBlock();
  readonly layer: SessionLayer;
  readonly transport: SimulatedTransport;
  readonly host: TransportHost;
  /** What was reported as unexpected. */
  readonly reports: HeddleError[] = [];
  isCrashed = false;
  readonly #simulation: Simulation;
  #turnDepth = 0;
  #publishRequested = false;

  constructor(id: number, network: SimulatedNetwork, connectionOptions: Partial<ConnectionOptions>) {
    this.id = id;
    this.#simulation = network.simulation;
    this.clock = new SimulatedClock(network.simulation);
    this.pool = idlePools.get(id) ?? new SlabPool({ contextId: id, slabCounter, limitBytes: slabLimitBytes });
    idlePools.delete(id);
    this.layer = new SessionLayer({
      contextId: id,
      clock: this.clock,
      codec: () => compactCodec,
      statistics: this.statistics,
      pool: this.pool,
      secret,
      transports: () => new Map([[this.transport.scheme, this.transport]]),
      transportOptions: { frameBytes: 4096, socketBufferBytes: 65536 },
      connectionOptions,
      linkLingerMs: 100,
      requestPublish: () => this.#requestPublish(),
      endTurnSoon: () => {},
      stayAwake: () => {},
      report: (error) => this.reports.push(error),
    });
    this.host = {
      clock: this.clock,
      receiver: this.layer.receiver,
      onLink: (link) => this.layer.wires.onLink(link),
      enterTurn: () => {
        this.#turnDepth++;
      },
      leaveTurn: () => {
        if (--this.#turnDepth === 0) this.layer.wires.publishBatches();
      },
      wake: () => {},
      onDoorbellRung: () => {},
      report: (error) => this.reports.push(error),
    };
    this.transport = new SimulatedTransport(network, this);
  }

  /** The pool can serve another simulation: all that it gave out has come back. */
  recycle(): void {
    const { buffersHeld, slotsInUse } = this.pool.statistics();
    if (buffersHeld === 0 && slotsInUse === 0) idlePools.set(this.id, this.pool);
  }

  #requestPublish(): void {
    if (this.#turnDepth > 0 || this.#publishRequested) return;
    this.#publishRequested = true;
    this.#simulation.schedule(0, () => {
      this.#publishRequested = false;
      if (!this.isCrashed) this.layer.wires.publishBatches();
    });
  }
}
