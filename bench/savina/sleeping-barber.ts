import { type ActorContext, type ActorRef, defineActor } from '../../src/index.js';
import { busyWork, type Cast, type Facts, inTurn, Outcome, RandomNumbers, type SavinaBenchmark } from './savina.js';

interface Parameters {
  readonly haircuts: number;
  readonly waitingRoom: number;
  readonly productionSteps: number;
  readonly haircutSteps: number;
}
interface CustomerMessages {
  full(): void;
  done(): void;
}
interface RoomMessages {
  enter(customer: ActorRef<CustomerMessages>): void;
  next(): void;
}
interface BarberMessages {
  cut(customer: { customer: ActorRef<CustomerMessages>; room: ActorRef<RoomMessages> }): void;
}
interface FactoryMessages {
  returned(customer: ActorRef<CustomerMessages>): void;
  served(): void;
}

export const Barber = defineActor(import.meta.url, {
  name: 'barber',
  state: (args: { steps: number }) => ({ ...args, random: new RandomNumbers(1), cuts: 0 }),
  handlers: {
    cut(state, { customer, room }: { customer: ActorRef<CustomerMessages>; room: ActorRef<RoomMessages> }) {
      busyWork(state.random.below(state.steps) + 10);
      state.cuts++;
      customer.tell('done');
      room.tell('next');
    },
    cuts: ({ cuts }) => cuts,
  },
});

export const WaitingRoom = defineActor(import.meta.url, {
  name: 'waiting-room',
  state: (args: { capacity: number; barber: ActorRef<BarberMessages> }) => ({
    ...args,
    waiting: [] as ActorRef<CustomerMessages>[],
    isBarberAsleep: true,
  }),
  handlers: {
    enter(state, customer: ActorRef<CustomerMessages>, actor) {
      if (state.waiting.length === state.capacity) {
        customer.tell('full');
        return;
      }
      state.waiting.push(customer);
      if (!state.isBarberAsleep) return;
      state.isBarberAsleep = false;
      (actor.self as ActorRef<RoomMessages>).tell('next');
    },
    next(state, _: undefined, actor) {
      const customer = state.waiting.shift();
      if (customer === undefined) state.isBarberAsleep = true;
      else state.barber.tell('cut', { customer, room: actor.self });
    },
  },
});

export const Customer = defineActor(import.meta.url, {
  name: 'customer',
  state: (args: { factory: ActorRef<FactoryMessages> }) => args,
  handlers: {
    full({ factory }, _: undefined, actor) {
      factory.tell('returned', actor.self);
    },
    done({ factory }, _: undefined, actor) {
      factory.tell('served');
      void actor.stop();
    },
  },
});

/** Makes the customers, who come back when the room was full. */
export const Factory = defineActor(import.meta.url, {
  name: 'factory',
  isReentrant: true,
  state: async ({ parameters, contexts }: Cast<Parameters>, actor: ActorContext) => {
    const barber = await actor.spawn(Barber, { steps: parameters.haircutSteps }, { on: inTurn(1, contexts) });
    const room = actor.spawnHere(WaitingRoom, { capacity: parameters.waitingRoom, barber });
    return { ...parameters, barber, room, served: 0, outcome: new Outcome<Facts>() };
  },
  handlers: {
    async run({ haircuts, productionSteps, room, outcome }, _: undefined, actor) {
      const random = new RandomNumbers(2);
      const args = { factory: actor.self };
      for (let i = 0; i < haircuts; i++) {
        if (!room.tell('enter', actor.spawnHere(Customer, args))) await room.ready();
        busyWork(random.below(productionSteps) + 10);
      }
      return outcome.promise;
    },
    returned({ room }, customer: ActorRef<CustomerMessages>) {
      room.tell('enter', customer);
    },
    async served(state) {
      if (++state.served === state.haircuts)
        state.outcome.resolve({ served: state.served, cuts: await state.barber.ask('cuts') });
    },
  },
});

/** Customers, a room in which they wait, and a barber who sleeps when it is empty. */
export const sleepingBarber: SavinaBenchmark<Parameters> = {
  name: 'sleeping-barber',
  metric: 'sleeping barber: 5000 haircuts, room for 1000',
  parameters: {
    full: { haircuts: 5000, waitingRoom: 1000, productionSteps: 1000, haircutSteps: 1000 },
    quick: { haircuts: 300, waitingRoom: 100, productionSteps: 1000, haircutSteps: 1000 },
    tiny: { haircuts: 20, waitingRoom: 3, productionSteps: 10, haircutSteps: 10 },
  },
  master: Factory,
  expected: ({ haircuts }) => ({ served: haircuts, cuts: haircuts }),
};
