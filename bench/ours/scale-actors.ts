/** The actors of the benchmarks of scale. */
import { type ActorRef, defineActor } from '../../src/index.js';

export { Ephemeral } from './actor-definitions.js';

/** Has a small state and nothing to do. */
export const Idler = defineActor(import.meta.url, {
  name: 'idler',
  state: () => ({ sum: 0 }),
  handlers: {
    add(state, value: number) {
      state.sum += value;
      return state.sum;
    },
  },
});

interface PasserMessages {
  take(value: number): void;
}

/** Sends to another, and takes what is sent to it. */
export const Passer = defineActor(import.meta.url, {
  name: 'passer',
  isReentrant: true,
  state: () => ({ received: 0, expected: 0, onAll: (_received: number) => {} }),
  handlers: {
    async send(_state, { to, count }: { to: ActorRef<PasserMessages>; count: number }) {
      for (let i = 0; i < count; i++) if (!to.tell('take', i)) await to.ready();
    },
    take(state, _value: number) {
      if (++state.received === state.expected) state.onAll(state.received);
    },
    /** Resolves when as many have come. */
    received(state, expected: number) {
      if (state.received >= expected) return state.received;
      return new Promise<number>((resolve) => {
        state.expected = expected;
        state.onAll = resolve;
      });
    },
  },
});
