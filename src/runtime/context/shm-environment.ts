import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { HeddleError } from '../../errors.js';

/** What the shm transport of a context asks of its node: names of portals, and rings to the contexts behind them. */
export interface ShmBroker {
  /** Rejects with `ERR_HEDDLE_ADDRESS_IN_USE` when a portal of this node has that name already. */
  bind(name: string): Promise<void>;
  unbind(name: string): Promise<void>;
  /**
   * Resolves to the id of the context that listens as `name`; its end of the rings and this context's end have been
   * attached by then. Rejects with `ERR_HEDDLE_REFUSED`, or with `ERR_HEDDLE_CONTEXT_LOST` when that context ends
   * meanwhile.
   */
  connect(name: string): Promise<number>;
}

/** What a context's shm transport is made with. */
export interface ShmEnvironment {
  readonly contextId: number;
  /** The context table: what all contexts of the node know of each other (who sleeps). */
  readonly table: SharedArrayBuffer;
  readonly broker: ShmBroker;
}

/** One context's end of the two rings between it and a peer. */
export interface RingPair {
  readonly peerContextId: number;
  /** The ring that the peer writes. */
  readonly incoming: SharedArrayBuffer;
  /** The ring that this context writes. */
  readonly outgoing: SharedArrayBuffer;
  /** Wakes the peer, and is woken by it. It must be transferred to the context's thread, and unref'd there. */
  readonly doorbell: MessagePort;
  /** Whether this end asked for the link. */
  readonly initiator: boolean;
}

/** Most contexts that a node can have at one time, the main thread's included: the length of the context table. */
export const maximumContexts = 1024;

const contextLineBytes = 128;
const lineWords = contextLineBytes >> 2;
const stateWord = 1;
const states = ['free', 'running', 'stopped', 'lost'] as const;

/** Memory of the context table: a line per context. */
export function createContextTable(): SharedArrayBuffer {
  return new SharedArrayBuffer(maximumContexts * contextLineBytes);
}

/** The context table as one thread sees it. */
export class ContextTable {
  readonly words: Int32Array;

  constructor(memory: SharedArrayBuffer) {
    this.words = new Int32Array(memory);
  }

  /** Takes a free line; its number is the id of the new context. Throws `ERR_HEDDLE_OUT_OF_MEMORY` without one. */
  acquire(): number {
    for (let id = 0; id < maximumContexts; id++) {
      if (Atomics.compareExchange(this.words, id * lineWords + stateWord, 0, 1) === 0) return id;
    }
    throw new HeddleError(
      'ERR_HEDDLE_OUT_OF_MEMORY',
      `all lines of the context table are taken: maximumContexts=${maximumContexts}; stop contexts first`,
      { details: { maximumContexts } },
    );
  }

  /** Says what became of a context. `free` gives the line back. */
  setState(contextId: number, state: (typeof states)[number]): void {
    Atomics.store(this.words, contextId * lineWords + stateWord, states.indexOf(state));
  }
}

const ringTrailerBytes = 256;
const defaultRingCapacityBytes = 1 << 20;

/** Two rings of `capacityBytes` each and a doorbell, as both ends see them; `contextA` is the one that asked. */
export function createRingPair(
  contextA: number,
  contextB: number,
  capacityBytes: number = defaultRingCapacityBytes,
): { forA: RingPair; forB: RingPair } {
  const fromA = new SharedArrayBuffer(capacityBytes + ringTrailerBytes);
  const fromB = new SharedArrayBuffer(capacityBytes + ringTrailerBytes);
  const { port1, port2 } = new MessageChannel();
  return {
    forA: { peerContextId: contextB, incoming: fromB, outgoing: fromA, doorbell: port1, initiator: true },
    forB: { peerContextId: contextA, incoming: fromA, outgoing: fromB, doorbell: port2, initiator: false },
  };
}

/** Whether either end has closed the link. Each end marks its ring before its peer can see that it closed. */
export function isRingPairClosed(pair: Pick<RingPair, 'incoming' | 'outgoing'>): boolean {
  return isMarked(pair.incoming) || isMarked(pair.outgoing);
}

/** Marks a ring as closed. */
export function closeRing(ring: SharedArrayBuffer): void {
  Atomics.store(new Int32Array(ring), 0, 1);
}

function isMarked(ring: SharedArrayBuffer): boolean {
  return Atomics.load(new Int32Array(ring), 0) !== 0;
}
