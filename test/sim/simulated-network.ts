import { HeddleError } from '../../src/errors.js';
import { nextLinkId } from '../../src/transports/link-id.js';
import { MemoryBlock, paddingRecordType, recordHeaderBytes } from '../../src/transports/record.js';
import { type RecordSink, RecordWriter } from '../../src/transports/record-writer.js';
import type { Link, Portal, Transport, TransportHost, TransportOptions } from '../../src/transports/transport.js';
import type { Random } from './random.js';
import type { Simulation } from './simulated-clock.js';
import { SimulatedMemory } from './simulated-memory.js';

/** How the wires of a network behave. */
export interface NetworkConditions {
  /** Bytes of a frame: no record can be longer. */
  readonly frameBytes: number;
  /** Frames that may be on their way in one direction; past it the writer has no room. */
  readonly windowFrames: number;
  readonly maximumDelayMicros: number;
  /** Contexts share memory: one wire for each two contexts, and large messages move by slab. */
  readonly sharesMemory: boolean;
  /** The chance of an end of a wire to reach the memory of the other end by itself, where the other one does, too. */
  readonly oneSidedChance: number;
  /** The chance of a frame to be lost, delivered twice, or delivered after the one behind it: more than a transport may do. */
  readonly lossChance: number;
  readonly duplicateChance: number;
  readonly reorderChance: number;
  /** The chance of a frame to have some bits flipped. */
  readonly corruptChance: number;
  /** The chance of an attempt to connect to meet no answer of any kind. */
  readonly silenceChance: number;
}

/** Wires that bring everything, in order and soon. */
export const quietConditions: NetworkConditions = {
  frameBytes: 4096,
  windowFrames: 8,
  maximumDelayMicros: 1000,
  sharesMemory: false,
  oneSidedChance: 0,
  lossChance: 0,
  duplicateChance: 0,
  reorderChance: 0,
  corruptChance: 0,
  silenceChance: 0,
};

/** What a network calls a context. */
export interface NetworkNode {
  readonly id: number;
  readonly host: TransportHost;
  isCrashed: boolean;
}

/** A network of contexts in one simulation. */
export class SimulatedNetwork {
  readonly simulation: Simulation;
  readonly random: Random;
  readonly conditions: NetworkConditions;
  readonly transports = new Set<SimulatedTransport>();
  /** Wires that are open at one end at least. */
  readonly wires = new Set<SimulatedWire>();
  /** What must not happen to memory that a wire reaches by itself. */
  readonly faults: string[] = [];
  /** Whose frames have bits flipped. */
  isCorrupt: (sender: NetworkNode) => boolean = () => true;
  /** Frames are lost, doubled, reordered and corrupted only while this is set. */
  misbehaves = true;

  constructor(simulation: Simulation, random: Random, conditions: NetworkConditions) {
    this.simulation = simulation;
    this.random = random;
    this.conditions = conditions;
  }

  delay(): number {
    return this.random.integer(1, this.conditions.maximumDelayMicros);
  }

  listenerAt(uri: string): SimulatedTransport | undefined {
    for (const transport of this.transports) if (transport.portals.has(uri)) return transport;
    return undefined;
  }

  /** All links of a context that has crashed: their peers are told when `isNoticed`, and hear nothing otherwise. */
  crash(node: NetworkNode, isNoticed: boolean): void {
    node.isCrashed = true;
    for (const transport of this.transports) if (transport.node === node) this.transports.delete(transport);
    for (const wire of [...this.wires]) {
      if (wire.ends.every((end) => end.node !== node)) continue;
      if (isNoticed) wire.cut();
      else wire.isDead = true;
    }
  }
}

/** One context's part in the network. */
export class SimulatedTransport implements Transport {
  readonly scheme = 'sim';
  readonly network: SimulatedNetwork;
  readonly node: NetworkNode;
  readonly portals = new Set<string>();

  constructor(network: SimulatedNetwork, node: NetworkNode) {
    this.network = network;
    this.node = node;
    network.transports.add(this);
  }

  async listen(uri: string, _options: TransportOptions): Promise<Portal> {
    if (this.network.listenerAt(uri) !== undefined) {
      throw new HeddleError('ERR_HEDDLE_ADDRESS_IN_USE', `${uri} is taken`);
    }
    this.portals.add(uri);
    return {
      uri,
      close: async () => {
        this.portals.delete(uri);
      },
    };
  }

  connect(uri: string, options: TransportOptions): Promise<Link> {
    const { network, node } = this;
    return new Promise((resolve, reject) => {
      const refuse = () => {
        if (!node.isCrashed) reject(new HeddleError('ERR_HEDDLE_REFUSED', `nothing listens at ${uri}`));
      };
      if (network.random.chance(network.conditions.silenceChance)) {
        network.simulation.schedule(options.connectTimeoutMs * 1000, () => {
          if (!node.isCrashed) reject(new HeddleError('ERR_HEDDLE_TIMEOUT', `${uri} did not answer`));
        });
        return;
      }
      let isLate = false;
      const cancelTimeout = network.simulation.schedule(options.connectTimeoutMs * 1000, () => {
        isLate = true;
        if (!node.isCrashed) reject(new HeddleError('ERR_HEDDLE_TIMEOUT', `${uri} did not answer in time`));
      });
      network.simulation.schedule(network.delay(), () => {
        const listener = network.listenerAt(uri);
        if (node.isCrashed || isLate) return;
        if (listener === undefined) {
          cancelTimeout();
          network.simulation.schedule(network.delay(), refuse);
          return;
        }
        const wire = this.#sharedWire(listener) ?? new SimulatedWire(network, node, listener.node, uri);
        const answer = () => {
          cancelTimeout();
          const link = wire.ends[wire.ends[0].node === node ? 0 : 1];
          if (isLate && !network.conditions.sharesMemory) link.close();
          if (!node.isCrashed) resolve(link);
        };
        network.simulation.schedule(network.delay(), answer);
      });
    });
  }

  /** Threads have one wire for each two of them. */
  #sharedWire(listener: SimulatedTransport): SimulatedWire | undefined {
    if (!this.network.conditions.sharesMemory) return undefined;
    for (const wire of this.network.wires) {
      const [one, other] = wire.ends;
      const joins =
        (one.node === this.node && other.node === listener.node) ||
        (one.node === listener.node && other.node === this.node);
      if (joins && one.isOpen && other.isOpen && !wire.isDead) return wire;
    }
    return undefined;
  }

  poll(): number {
    return 0;
  }

  beginSleep(): boolean {
    return true;
  }

  endSleep(): void {}

  async close(): Promise<void> {
    this.portals.clear();
    for (const wire of [...this.network.wires]) for (const end of wire.ends) if (end.node === this.node) end.close();
  }
}

/** Two ends and what is on its way between them. */
export class SimulatedWire {
  readonly network: SimulatedNetwork;
  readonly ends: readonly [SimulatedLink, SimulatedLink];
  /** Nothing arrives any more at either end. */
  isDead = false;

  constructor(network: SimulatedNetwork, client: NetworkNode, server: NetworkNode, uri: string) {
    this.network = network;
    this.ends = [new SimulatedLink(this, client, server, undefined), new SimulatedLink(this, server, client, uri)];
    this.ends[0].peer = this.ends[1];
    this.ends[1].peer = this.ends[0];
    network.wires.add(this);
    server.host.onLink(this.ends[1]);
    if (network.conditions.sharesMemory && client !== server) client.host.onLink(this.ends[0]);
  }

  /** The wire breaks: what is on its way is lost, and each end learns of it in its own time. */
  cut(): void {
    this.isDead = true;
    for (const end of this.ends) {
      this.network.simulation.schedule(this.network.delay(), () =>
        end.end(new HeddleError('ERR_HEDDLE_DISCONNECTED', 'the wire was cut')),
      );
    }
  }
}

const nothing = new MemoryBlock(new ArrayBuffer(0));

/** One end of a wire. */
export class SimulatedLink implements Link, RecordSink {
  readonly id = nextLinkId();
  readonly writer: RecordWriter;
  readonly peerAddress: string;
  readonly localAddress: string;
  readonly portalUri: string | undefined;
  readonly maximumRecordBytes: number;
  readonly sharesMemory: boolean;
  readonly peerContextId: number;
  readonly wire: SimulatedWire;
  readonly node: NetworkNode;
  readonly oneSided: SimulatedMemory | undefined;
  peer!: SimulatedLink;
  isOpen = true;
  readonly #slabs = new Map<number, SharedArrayBuffer>();
  readonly #block: MemoryBlock;
  #framesOnTheirWay = 0;
  #roomWanted = false;
  #arrivesAtMicros = 0;

  constructor(wire: SimulatedWire, node: NetworkNode, peer: NetworkNode, portalUri: string | undefined) {
    const { conditions } = wire.network;
    this.wire = wire;
    this.node = node;
    this.peerAddress = `context ${peer.id}`;
    this.localAddress = `context ${node.id}`;
    this.portalUri = conditions.sharesMemory ? undefined : portalUri;
    this.maximumRecordBytes = conditions.frameBytes;
    this.sharesMemory = conditions.sharesMemory;
    this.peerContextId = conditions.sharesMemory ? peer.id : -1;
    this.#block = new MemoryBlock(new ArrayBuffer(conditions.frameBytes));
    this.writer = new RecordWriter(nothing, this);
    const { oneSidedChance, sharesMemory } = conditions;
    const isOneSided = oneSidedChance > 0 && !sharesMemory && wire.network.random.chance(oneSidedChance);
    this.oneSided = isOneSided ? new SimulatedMemory(this) : undefined;
  }

  makeRoom(writer: RecordWriter, alignedBytes: number): boolean {
    const { frameBytes, windowFrames } = this.wire.network.conditions;
    if (alignedBytes > frameBytes) {
      throw new HeddleError('ERR_HEDDLE_MESSAGE_TOO_LARGE', `a record of ${alignedBytes} exceeds ${frameBytes}`);
    }
    if (!this.isOpen) return false;
    if (this.sharesMemory && writer.cursor > 0 && this.#framesOnTheirWay + 1 >= windowFrames) {
      // As in a ring: where there is no room for this record there may be for a shorter one.
      this.#roomWanted = true;
      return false;
    }
    this.publish();
    if (this.#framesOnTheirWay >= windowFrames) {
      this.#roomWanted = true;
      return false;
    }
    writer.block = this.#block;
    writer.cursor = 0;
    writer.end = frameBytes;
    return true;
  }

  publish(): void {
    const { writer } = this;
    const length = writer.cursor;
    writer.seal();
    if (length === 0 || !this.isOpen) return;
    writer.cursor = 0;
    // Another frame may be begun only when there is room for it.
    writer.end = 0;
    const memory = new ArrayBuffer(length);
    Buffer.from(memory).set(this.#block.bytes.subarray(0, length));
    this.#send(new MemoryBlock(memory));
  }

  #send(frame: MemoryBlock): void {
    const { network } = this.wire;
    const { random, conditions, simulation } = network;
    let atMicros = Math.max(this.#arrivesAtMicros, simulation.nowMicros + network.delay());
    let copies = 1;
    if (network.misbehaves) {
      if (random.chance(conditions.lossChance)) copies = 0;
      else if (random.chance(conditions.duplicateChance)) copies = 2;
      if (random.chance(conditions.reorderChance)) atMicros = simulation.nowMicros + 1;
      if (random.chance(conditions.corruptChance) && network.isCorrupt(this.node)) {
        for (let flips = random.integer(1, 4); flips > 0; flips--) {
          const at = random.integer(0, frame.bytes.length - 1);
          frame.bytes[at] = (frame.bytes[at] as number) ^ (1 << random.integer(0, 7));
        }
      }
    }
    this.#arrivesAtMicros = Math.max(this.#arrivesAtMicros, atMicros);
    this.#framesOnTheirWay++;
    const delay = atMicros - simulation.nowMicros;
    for (let copy = 0; copy < copies; copy++) simulation.schedule(delay, () => this.peer.#receive(frame));
    simulation.schedule(delay, () => this.#frameTaken());
  }

  #frameTaken(): void {
    this.#framesOnTheirWay--;
    if (!this.#roomWanted || !this.isOpen || this.node.isCrashed || this.wire.isDead) return;
    this.#roomWanted = false;
    this.inTurn(() => this.node.host.receiver.onWritable(this));
  }

  #receive(frame: MemoryBlock): void {
    if (!this.isOpen || this.node.isCrashed || this.wire.isDead) return;
    this.inTurn(() => {
      const { int32 } = frame;
      for (let start = 0; start < frame.bytes.length && this.isOpen; ) {
        const length = int32[start >> 2] as number;
        if (length < recordHeaderBytes || start + length > frame.bytes.length) {
          this.close(new HeddleError('ERR_HEDDLE_MALFORMED', `a record of length=${length} does not fit its frame`));
          return;
        }
        const type = (int32[(start >> 2) + 1] as number) & 0xff;
        if (type !== paddingRecordType) this.node.host.receiver.onRecord(this, frame, start, length);
        start += (length + 7) & ~7;
      }
    });
  }

  inTurn(work: () => void): void {
    const { host } = this.node;
    host.enterTurn();
    work();
    host.leaveTurn();
  }

  occupancyBytes(): number {
    return 0;
  }

  shareSlab(slabId: number, memory: SharedArrayBuffer): void {
    this.peer.#slabs.set(slabId, memory);
  }

  forgetSlab(slabId: number): void {
    this.#slabs.delete(slabId);
  }

  sharedSlab(slabId: number): SharedArrayBuffer | undefined {
    return this.#slabs.get(slabId);
  }

  close(error?: HeddleError): void {
    if (!this.isOpen) return;
    this.publish();
    const { simulation } = this.wire.network;
    const said =
      error === undefined ? undefined : new HeddleError('ERR_HEDDLE_DISCONNECTED', `the peer closed: ${error.message}`);
    const delay = Math.max(this.#arrivesAtMicros - simulation.nowMicros, 0) + 1;
    if (!this.wire.isDead) simulation.schedule(delay, () => this.peer.end(said));
    this.end(error);
  }

  /** This end is over, and its context is told. */
  end(error: HeddleError | undefined): void {
    if (!this.isOpen || this.node.isCrashed) return;
    this.isOpen = false;
    this.writer.seal();
    this.writer.cursor = 0;
    this.writer.end = 0;
    if (!this.peer.isOpen || this.peer.node.isCrashed) this.wire.network.wires.delete(this.wire);
    this.inTurn(() => this.node.host.receiver.onLinkClosed(this, error));
    const { oneSided } = this;
    if (oneSided === undefined) return;
    // What the device works on it lets go of a little later.
    this.wire.network.simulation.schedule(this.wire.network.delay(), () => {
      if (!this.node.isCrashed) oneSided.end();
    });
  }
}
