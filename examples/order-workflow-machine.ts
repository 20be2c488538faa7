import { defineMachineActor, type RefOf } from 'heddle';
import { assign, fromPromise, setup } from 'xstate';
import type { Bank, Carrier } from './order-workflow-services.js';

/** What an order is made with: refs to the services may be part of it. */
export interface OrderInput {
  readonly id: string;
  readonly amount: number;
  readonly bank: RefOf<typeof Bank>;
  readonly carrier: RefOf<typeof Carrier>;
}

const orderMachine = setup({
  types: {
    input: {} as OrderInput,
    context: {} as OrderInput & { tries: number; receipt: string | undefined; tracking: string | undefined },
    events: {} as { type: 'place' } | { type: 'cancel'; reason: string },
    output: {} as { paid: boolean; tracking: string | undefined },
  },
  actors: {
    // A service is asked with a deadline: what is late counts as failed, and is tried again.
    charge: fromPromise(({ input: { id, amount, bank } }: { input: OrderInput }) =>
      bank.ask('charge', { id, amount }, { timeoutMs: 2000 }),
    ),
    ship: fromPromise(({ input: { id, carrier } }: { input: OrderInput }) =>
      carrier.ask('ship', id, { timeoutMs: 1000 }),
    ),
  },
  guards: { mayTryAgain: ({ context }) => context.tries < 3 },
  actions: {
    countTry: assign({ tries: ({ context }) => context.tries + 1 }),
    beginCount: assign({ tries: 0 }),
  },
  delays: { pause: ({ context }) => 20 * 2 ** context.tries, patience: 60_000 },
}).createMachine({
  id: 'order',
  context: ({ input }) => ({ ...input, tries: 0, receipt: undefined, tracking: undefined }),
  initial: 'open',
  output: ({ context }) => ({ paid: context.receipt !== undefined, tracking: context.tracking }),
  states: {
    open: { on: { place: 'paying', cancel: 'cancelled' }, after: { patience: 'cancelled' } },
    paying: {
      entry: 'countTry',
      invoke: {
        src: 'charge',
        input: ({ context }) => context,
        onDone: { target: 'shipping', actions: ['beginCount', assign({ receipt: ({ event }) => event.output })] },
        onError: [{ guard: 'mayTryAgain', target: 'waitingForTheBank' }, { target: 'cancelled' }],
      },
    },
    waitingForTheBank: { after: { pause: 'paying' }, on: { cancel: 'cancelled' } },
    shipping: {
      entry: 'countTry',
      invoke: {
        src: 'ship',
        input: ({ context }) => context,
        onDone: { target: 'shipped', actions: assign({ tracking: ({ event }) => event.output }) },
        onError: [{ guard: 'mayTryAgain', target: 'shipping', reenter: true }, { target: 'refunding' }],
      },
    },
    refunding: { entry: assign({ receipt: undefined }), always: 'cancelled' },
    shipped: { type: 'final' },
    cancelled: { type: 'final' },
  },
});

export const Order = defineMachineActor(import.meta.url, { name: 'order', machine: orderMachine });
