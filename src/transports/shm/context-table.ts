import { HeddleError, requireInteger } from '../../errors.js';

/**
 * The contexts of a process, in one SharedArrayBuffer: a line of 128 bytes for each.
 *
 * ```
 *   byte of the line
 *     0  sleeping     1 while the context sleeps in its event loop, or is about to
 *     4  state        free, running, stopped, lost
 *     8  incarnation  how many contexts have had this line
 *    12  bell         number of the context's native bell; 0 when it has none and is woken through the doorbell's port
 * ```
 *
 * One more line, behind those of the contexts, is common to all: its first word counts the contexts that are awake, that
 * is, use a core or wait for one. A context counts itself out when it stores sleeping=1; who swaps the flag back, the
 * context or the producer that wakes it, counts it in.
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
const bellWord = 3;
/** Index of the word that counts the contexts that are awake. */
export const awakeIndex = maximumContexts * lineWords;

const states = ['free', 'running', 'stopped', 'lost'] as const;

/** What became of a context. */
export type ContextState = (typeof states)[number];

/** Makes the table of a process; all lines are free. */
export function createContextTable(): SharedArrayBuffer {
  return new SharedArrayBuffer((maximumContexts + 1) * contextLineBytes);
}

/** Index of the sleeping word of a context, in the table's int32 words. */
export function sleepingIndex(contextId: number): number {
  requireInteger('contextId', contextId, 0, maximumContexts - 1);
  return contextId * lineWords;
}

/** Index of the word with a context's native bell, from that of its sleeping word. */
export function bellIndex(sleeping: number): number {
  return sleeping + bellWord;
}

/** The table as one thread sees it. */
export class ContextTable {
  readonly words: Int32Array;

  constructor(memory: SharedArrayBuffer) {
    if (!(memory instanceof SharedArrayBuffer) || memory.byteLength !== (maximumContexts + 1) * contextLineBytes) {
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
      // Not awake before its transport says so: a context that is never made uses no core.
      Atomics.store(this.words, line, 1);
      Atomics.store(this.words, line + bellWord, 0);
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

  /** The context does not use a core any more, whether it said so or died awake. Harmless the second time. */
  retire(contextId: number): void {
    fallAsleep(this.words, sleepingIndex(contextId));
  }
}

/** Counts a context out. Its flag is up from now on: what is published after this is told to it by its doorbell. */
export function fallAsleep(words: Int32Array, index: number): void {
  if (Atomics.exchange(words, index, 1) === 0) Atomics.sub(words, awakeIndex, 1);
}

/**
 * Counts a context in that wakes up by itself; nothing happens when a producer has done it. While it lives only the context
 * raises its flag, so that one which it sees down is down, however it looks.
 */
export function wakeUp(words: Int32Array, index: number): void {
  if (words[index] === 0) return;
  if (Atomics.exchange(words, index, 0) === 1) Atomics.add(words, awakeIndex, 1);
}
