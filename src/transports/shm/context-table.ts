import { HeddleError, requireInteger } from '../../errors.js';

/**
 * The contexts of a process, in one SharedArrayBuffer: a line of 128 bytes for each.
 *
 * ```
 *   byte of the line
 *     0  sleeping     1 while the context sleeps in its event loop, or is about to
 *     4  state        free, running, stopped, lost
 *     8  incarnation  how many contexts have had this line
 * ```
 *
 * The sleep protocol. A consumer about to sleep stores sleeping=1, then looks at all of its rings again, then sleeps. A
 * producer stores a ring's tail (or head, when room was wanted), then loads sleeping; if it is 1 it tries to swap it
 * for 0, and whoever succeeds rings the doorbell: one ring per sleep, however many producers there are. Both sides
 * store before they load, so one of them sees the other: either the consumer stays awake or the doorbell rings.
 *
 * What the swap obliges to: a producer that took the flag must reach the sleeper, since no other producer will ring
 * after it. So a doorbell stays open until its peer has promised never to ring it again (see ShmLink).
 */
export const maximumContexts = 1024;
export const contextLineBytes = 128;
const lineWords = contextLineBytes >> 2;
const stateWord = 1;
const incarnationWord = 2;

const states = ['free', 'running', 'stopped', 'lost'] as const;

/** What became of a context. */
export type ContextState = (typeof states)[number];

/** Makes the table of a process; all lines are free. */
export function createContextTable(): SharedArrayBuffer {
  return new SharedArrayBuffer(maximumContexts * contextLineBytes);
}

/** Index of the sleeping word of a context, in the table's int32 words. */
export function sleepingIndex(contextId: number): number {
  requireInteger('contextId', contextId, 0, maximumContexts - 1);
  return contextId * lineWords;
}

/** The table as one thread sees it. */
export class ContextTable {
  readonly words: Int32Array;

  constructor(memory: SharedArrayBuffer) {
    if (!(memory instanceof SharedArrayBuffer) || memory.byteLength !== maximumContexts * contextLineBytes) {
      throw new HeddleError(
        'ERR_HEDDLE_INVALID_ARGUMENT',
        'the context table must be a SharedArrayBuffer made by createContextTable()',
      );
    }
    this.words = new Int32Array(memory);
  }

  /**
   * Takes a free line, marks it running and returns its number: the id of the new context. Throws
   * `ERR_HEDDLE_OUT_OF_MEMORY` when {@link maximumContexts} contexts exist. Any thread may call it.
   */
  acquire(): number {
    for (let contextId = 0; contextId < maximumContexts; contextId += 1) {
      const line = contextId * lineWords;
      if (Atomics.compareExchange(this.words, line + stateWord, 0, 1) !== 0) continue;
      Atomics.store(this.words, line, 0);
      Atomics.add(this.words, line + incarnationWord, 1);
      return contextId;
    }
    throw new HeddleError(
      'ERR_HEDDLE_OUT_OF_MEMORY',
      `all lines of the context table are taken: maximumContexts=${maximumContexts}; stop contexts first`,
      { details: { maximumContexts } },
    );
  }

  /** What became of the context. */
  state(contextId: number): ContextState {
    return states[Atomics.load(this.words, sleepingIndex(contextId) + stateWord)] ?? 'lost';
  }

  /** Says what became of the context. `free` gives the line back: only once nothing refers to the id any more. */
  setState(contextId: number, state: ContextState): void {
    Atomics.store(this.words, sleepingIndex(contextId) + stateWord, states.indexOf(state));
  }

  /** How many contexts have had this id, the present one included. */
  incarnation(contextId: number): number {
    return Atomics.load(this.words, sleepingIndex(contextId) + incarnationWord);
  }
}
