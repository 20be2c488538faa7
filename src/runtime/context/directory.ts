import { HeddleError } from '../../errors.js';
import type { RingPair } from '../../transports/shm/ring-pair.js';

/** A context as the directory sees it. */
export interface DirectoryMember {
  readonly id: number;
  readonly name: string;
  /** Hands the context its end of a pair; resolves once it can be used. Rejects when the context ends first. */
  attach(pair: RingPair): Promise<void>;
  /** Tells the context that its link to that peer is over. Arrives after every `attach` made before. */
  detach(peerContextId: number, error: HeddleError): void;
}

/** Makes pairs of rings, and knows whether one has closed. */
export interface RingPairs {
  /** `contextA` is the one that asked. */
  create(contextA: number, contextB: number): { forA: RingPair; forB: RingPair };
  /** Whether either end has closed the link. */
  isClosed(rings: Pick<RingPair, 'incoming' | 'outgoing'>): boolean;
}

/** Longest portal name, in characters. */
const maximumNameLength = 255;
/** Most portal names of one context. */
const maximumNamesPerContext = 4096;

/** One pair of rings, from the moment it is made. */
interface Pair {
  /** The two rings, held without the doorbells, which belong to the contexts. */
  readonly rings: Pick<RingPair, 'incoming' | 'outgoing'>;
  /** Ids of those to whom an end was handed, whether it has arrived or not. */
  readonly handedTo: Set<number>;
  /** Settles when both ends can be used, or one of the contexts has ended. */
  readonly attached: Promise<void>;
  /** Makes `attached` reject, and keeps an end that was not handed over from being handed over. */
  fail(error: HeddleError): void;
}

interface Entry {
  readonly member: DirectoryMember;
  readonly names: Set<string>;
  /** The newest pair with each peer; both have the same object. */
  readonly pairs: Map<number, Pair>;
}

/**
 * Knows the portal names of a node, which contexts share rings, and whom to tell when a context ends. It lives on the
 * node's own thread, and all it does to the outside is to call its members.
 */
export class Directory {
  readonly #entries = new Map<number, Entry>();
  readonly #names = new Map<string, Entry>();
  readonly #ringPairs: RingPairs;

  constructor(ringPairs: RingPairs) {
    this.#ringPairs = ringPairs;
  }

  /** Adds a context; from now on it can bind and connect. */
  add(member: DirectoryMember): void {
    if (this.#entries.has(member.id)) {
      throw new HeddleError('ERR_HEDDLE_INVALID_STATE', `the directory has a context with id=${member.id} already`);
    }
    this.#entries.set(member.id, { member, names: new Set(), pairs: new Map() });
  }

  /** Makes `name` lead to that context. */
  bind(contextId: number, name: string): void {
    const entry = this.#entry(contextId);
    if (typeof name !== 'string' || name.length === 0 || name.length > maximumNameLength) {
      throw new HeddleError(
        'ERR_HEDDLE_INVALID_ARGUMENT',
        `a portal name must have 1 to ${maximumNameLength} characters: name=${String(name).slice(0, 300)}`,
      );
    }
    const owner = this.#names.get(name);
    if (owner !== undefined) {
      throw new HeddleError(
        'ERR_HEDDLE_ADDRESS_IN_USE',
        `context ${owner.member.name} (id=${owner.member.id}) listens at shm://${name}; choose another name`,
        { details: { name, contextId: owner.member.id } },
      );
    }
    if (entry.names.size >= maximumNamesPerContext) {
      throw new HeddleError(
        'ERR_HEDDLE_INVALID_STATE',
        `context ${entry.member.name} listens at ${maximumNamesPerContext} names, the most there can be; unbind some`,
      );
    }
    entry.names.add(name);
    this.#names.set(name, entry);
  }

  /** Makes `name` lead nowhere. Links made through it stay. Harmless when it was not bound by that context. */
  unbind(contextId: number, name: string): void {
    const entry = this.#entry(contextId);
    if (entry.names.delete(name)) this.#names.delete(name);
  }

  /**
   * Sees to it that the context and the owner of `name` share an open pair; resolves to the owner's id. They may be
   * the same context, which then has both ends.
   */
  async connect(contextId: number, name: string): Promise<number> {
    const from = this.#entry(contextId);
    const owner = this.#names.get(name);
    if (owner === undefined) {
      throw new HeddleError('ERR_HEDDLE_REFUSED', `no context of this node listens at shm://${name}`, {
        details: { name },
      });
    }
    await this.#openPair(from, owner).attached;
    return owner.member.id;
  }

  /** Forgets a context that has ended: its names are free, and everyone who shared rings with it is told. */
  contextEnded(contextId: number, error: HeddleError): void {
    const entry = this.#entries.get(contextId);
    if (entry === undefined) return;
    this.#entries.delete(contextId);
    for (const name of entry.names) this.#names.delete(name);
    for (const [peerId, pair] of entry.pairs) {
      pair.fail(error);
      const peer = this.#entries.get(peerId);
      if (peer === undefined) continue; // The context itself.
      peer.pairs.delete(contextId);
      if (pair.handedTo.has(peerId)) peer.member.detach(contextId, error);
    }
  }

  #entry(contextId: number): Entry {
    const entry = this.#entries.get(contextId);
    if (entry !== undefined) return entry;
    throw new HeddleError('ERR_HEDDLE_INVALID_STATE', `context id=${contextId} is not, or no longer, part of the node`);
  }

  /** The open pair between the two, a new one if there is none. */
  #openPair(from: Entry, owner: Entry): Pair {
    const known = from.pairs.get(owner.member.id);
    if (known !== undefined && !this.#ringPairs.isClosed(known.rings)) return known;
    const pair = this.#makePair(from, owner);
    from.pairs.set(owner.member.id, pair);
    owner.pairs.set(from.member.id, pair);
    return pair;
  }

  #makePair(from: Entry, owner: Entry): Pair {
    const ends = this.#ringPairs.create(from.member.id, owner.member.id);
    const handedTo = new Set<number>();
    let failed = false;
    let reject: (error: unknown) => void = () => {};
    const failure = new Promise<never>((_, rejectFailure) => {
      reject = rejectFailure;
    });
    const handOver = async () => {
      // The owner first: the connecting context may send as soon as it has its end.
      handedTo.add(owner.member.id);
      await owner.member.attach(ends.forB);
      if (failed) {
        ends.forA.doorbell.close();
        return;
      }
      handedTo.add(from.member.id);
      await from.member.attach(ends.forA);
    };
    const handedOver = handOver();
    const pair: Pair = {
      rings: { incoming: ends.forA.incoming, outgoing: ends.forA.outgoing },
      handedTo,
      attached: Promise.race([handedOver, failure]),
      fail(error) {
        failed = true;
        reject(error);
      },
    };
    failure.catch(() => {});
    // Nobody may be waiting any more; and a context that could not attach for another reason than its own end must
    // not leave its peer with rings that lead nowhere.
    handedOver.catch((error) => this.#abandon(from, owner, pair, error));
    pair.attached.catch(() => {});
    return pair;
  }

  #abandon(from: Entry, owner: Entry, pair: Pair, cause: unknown): void {
    if (from.pairs.get(owner.member.id) !== pair) return;
    from.pairs.delete(owner.member.id);
    owner.pairs.delete(from.member.id);
    const error =
      cause instanceof HeddleError
        ? cause
        : new HeddleError(
            'ERR_HEDDLE_DISCONNECTED',
            `contexts ${from.member.name} and ${owner.member.name} could not be linked`,
            { cause },
          );
    if (pair.handedTo.has(from.member.id)) from.member.detach(owner.member.id, error);
    if (owner !== from) owner.member.detach(from.member.id, error);
  }
}
