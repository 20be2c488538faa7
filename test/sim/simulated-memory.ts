import { HeddleError } from '../../src/errors.js';
import type { ExposedMemory, OneSidedWire, RemoteMemory, RemoteTransfer } from '../../src/transports/transport.js';
import type { SimulatedLink } from './simulated-network.js';

/** How often memory cannot be exposed, or reached: as where no more of it may be locked. */
const failureChance = 0.1;

let nextAddress = 1n;

/** Memory of this end, until it is released. */
class Exposure implements ExposedMemory {
  readonly address = nextAddress++;
  readonly key = Buffer.from('key');
  readonly bytes: Uint8Array;
  readonly #onReleased: () => void;
  readonly #exposures: Map<bigint, Exposure>;

  constructor(exposures: Map<bigint, Exposure>, bytes: Uint8Array, onReleased: () => void) {
    this.bytes = bytes;
    this.#onReleased = onReleased;
    this.#exposures = exposures;
    exposures.set(this.address, this);
  }

  release(): void {
    if (this.#exposures.delete(this.address)) this.#onReleased();
  }
}

/** One end of a wire whose device reads and writes the memory of the other end. What it finds released meanwhile is a fault. */
export class SimulatedMemory implements OneSidedWire {
  readonly #link: SimulatedLink;
  readonly #exposures = new Map<bigint, Exposure>();
  /** What is under way from here. */
  readonly #ends = new Set<(error?: HeddleError) => void>();
  #hasEnded = false;

  constructor(link: SimulatedLink) {
    this.#link = link;
  }

  expose(bytes: Uint8Array, onReleased: () => void): ExposedMemory | undefined {
    if (this.#hasEnded || this.#link.wire.network.random.chance(failureChance)) return undefined;
    return new Exposure(this.#exposures, bytes, onReleased);
  }

  attach(address: bigint, _key: Uint8Array): RemoteMemory {
    const works = !this.#link.wire.network.random.chance(failureChance);
    const isUsable = () => works && this.#link.isOpen && !this.#hasEnded;
    return {
      get isUsable() {
        return isUsable();
      },
      read: (offset, target, onEnd) =>
        this.#transfer(onEnd, (peer, isWanted) => {
          const bytes = peer.#reach(address, offset, target.length);
          if (isWanted()) target.set(bytes);
        }),
      write: (offset, data, onEnd) => {
        const bytes = Buffer.from(data);
        return this.#transfer(onEnd, (peer) => peer.#reach(address, offset, bytes.length).set(bytes));
      },
      release: () => {},
    };
  }

  /** The memory that an operation of the peer arrives at. */
  #reach(address: bigint, offset: number, lengthBytes: number): Uint8Array {
    const exposure = this.#exposures.get(address);
    if (exposure !== undefined && offset + lengthBytes <= exposure.bytes.length) {
      return exposure.bytes.subarray(offset, offset + lengthBytes);
    }
    const { faults } = this.#link.wire.network;
    faults.push(`an operation arrived at memory that is ${exposure === undefined ? 'released' : 'too small'}`);
    return new Uint8Array(lengthBytes);
  }

  #transfer(
    onEnd: (error?: HeddleError) => void,
    carryOut: (peer: SimulatedMemory, isWanted: () => boolean) => void,
  ): RemoteTransfer {
    const { wire, node } = this.#link;
    const { simulation } = wire.network;
    let isWanted = true;
    const end = (error?: HeddleError) => {
      if (this.#ends.delete(end)) this.#link.inTurn(() => onEnd(error));
    };
    this.#ends.add(end);
    simulation.schedule(wire.network.delay(), () => {
      const peer = this.#link.peer.oneSided;
      if (wire.isDead || peer === undefined || peer.#hasEnded || this.#hasEnded) return;
      // By the device: whether the owner is busy, and whether anybody still waits for it, does not matter.
      carryOut(peer, () => isWanted);
      simulation.schedule(wire.network.delay(), () => {
        if (!node.isCrashed && !wire.isDead) end();
      });
    });
    return {
      abandon: () => {
        isWanted = false;
      },
    };
  }

  /** The link has ended, and the device has let go of it. */
  end(): void {
    this.#hasEnded = true;
    for (const end of [...this.#ends]) end(new HeddleError('ERR_HEDDLE_DISCONNECTED', 'the wire is lost'));
    for (const exposure of [...this.#exposures.values()]) exposure.release();
  }
}
