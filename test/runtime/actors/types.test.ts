import test from 'ava';
import { type ActorRef, type ActorSystem, defineActor, type RefOf } from '../../../src/index.js';
import { Counter, type CounterMessages, type Friend } from './fixtures/counter.js';

/** Never called: what matters is that tsc compiles it, errors expected included. */
export async function typesHold(system: ActorSystem, counter: RefOf<typeof Counter>, friend: RefOf<typeof Friend>) {
  const told: boolean = counter.tell('add', 5);
  const count: number = await counter.ask('get');
  const later: number = await counter.ask('later', 5, { timeoutMs: 10 });
  await counter.ask('get', undefined, { timeoutMs: 10 });
  counter.tell('get');
  // @ts-expect-error there is no such message
  counter.tell('subtract', 5);
  // @ts-expect-error there is no such message
  await counter.ask('subtract');
  // @ts-expect-error the payload is a number
  counter.tell('add', '5');
  // @ts-expect-error the payload is missing
  counter.tell('add');
  // @ts-expect-error the payload is missing
  await counter.ask('later');
  // @ts-expect-error the message has no payload
  counter.tell('get', 5);
  // @ts-expect-error one payload, not two
  counter.tell('add', 5, 6);
  // @ts-expect-error the reply is a number
  const text: string = await counter.ask('get');
  // @ts-expect-error no such option
  await counter.ask('get', undefined, { timeout: 10 });

  // @ts-expect-error the arguments are missing
  await system.spawn(Counter);
  // @ts-expect-error the argument has another type
  await system.spawn(Counter, { start: '0' });
  // @ts-expect-error no such option
  await system.spawn(Counter, { start: 0 }, { at: 'here' });
  const spawned = await system.spawn(Counter, { start: 0 }, { on: { key: 'a' } });
  const again: RefOf<typeof Counter> = spawned;

  // A ref to more is a ref to less, and not the other way round.
  const less: ActorRef<CounterMessages> = counter;
  friend.tell('meet', counter);
  friend.tell('meet', less);
  // @ts-expect-error a friend takes other messages than a counter
  friend.tell('meet', friend);
  // @ts-expect-error a counter is told more than this ref may
  const more: RefOf<typeof Counter> = less;
  return [told, count, later, text, again, more];
}

/** As above: what handlers see. */
export const typedHandlers = () =>
  defineActor(import.meta.url, {
    name: 'typed',
    state: (args: { start: number }) => ({ count: args.start }),
    handlers: {
      add(state, by: number, actor) {
        const count: number = state.count;
        // @ts-expect-error the state has no such property
        state.total = count + by;
        // @ts-expect-error an actor cannot do that
        actor.fly();
      },
    },
    onTerminated(state, { ref }) {
      // @ts-expect-error the count is a number
      state.count = ref.type;
    },
  });

/** As above: a handler that needs no payload but the actor, and one that takes anything. */
export function handlersWithoutPayload(system: ActorSystem) {
  const definition = defineActor(import.meta.url, {
    name: 'without-payload',
    state: () => ({}),
    handlers: {
      leave(_state, _payload: undefined, actor) {
        void actor.stop();
      },
      // biome-ignore lint/suspicious/noExplicitAny: what is tested
      take(_state, _payload: any) {},
    },
  });
  const ref = system.spawnHere(definition);
  const least: ActorRef<{ leave(): void }> = ref;
  least.tell('leave');
  ref.tell('take', 5);
  // @ts-expect-error the message has no payload
  ref.tell('leave', 5);
}

test('wrong names, payloads, replies, arguments and options do not compile', (t) => {
  // Were one of the errors that are expected above not there, this file would not have been compiled.
  t.is(typeof typesHold, 'function');
  t.is(typeof handlersWithoutPayload, 'function');
  t.is(Counter.name, 'counter');
});
