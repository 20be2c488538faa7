import { defineActor } from '../../src/index.js';

/** The service thread of a server that queues every request to one: it only says which file is meant. */
export const ServiceThread = defineActor(import.meta.url, {
  name: 'service-thread',
  state: () => ({ served: 0 }),
  handlers: {
    serve(state, target: string) {
      state.served++;
      return target;
    },
  },
});
