import { defineActor } from 'heddle';

export const Counter = defineActor(import.meta.url, {
  name: 'counter',
  state: (args: { start: number }) => ({ count: args.start }),
  handlers: {
    add(state, by: number) {
      if (!Number.isInteger(by)) throw new TypeError(`cannot add ${by}`);
      state.count += by;
    },
    get(state) {
      return state.count;
    },
  },
});
