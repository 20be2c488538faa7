import test from 'ava';
import { type ActorContext, type AnyActorRef, defineActor } from '../../../src/index.js';
import { Counter, Friend } from './fixtures/counter.js';
import { testSystem } from './support.js';

/** Does what the test says, in this thread. */
const Obliging = defineActor(import.meta.url, {
  name: 'obliging',
  state: () => ({}),
  handlers: { call: (_state, what: (actor: ActorContext) => unknown, actor: ActorContext) => what(actor) },
});

/** Two systems of one process, and in each a counter at the same address. */
async function neighbours(t: Parameters<typeof testSystem>[0], on: string) {
  const { system } = await testSystem(t, { name: 'own', contexts: 1 });
  const { system: other } = await testSystem(t, { name: 'other', contexts: 1 });
  const own = await system.spawn(Counter, { start: 1 }, { on });
  const foreign = await other.spawn(Counter, { start: 100 }, { on });
  return { system, other, own, foreign };
}

for (const on of ['here', 'worker-1']) {
  test(`a ref of another system of the process stands for no actor of this one, ${on}`, async (t) => {
    const { system, other, own, foreign } = await neighbours(t, on);
    const address = ({ place, slot, generation }: Record<string, unknown>) => [place, slot, generation];
    t.deepEqual(address(own as never), address(foreign as never));
    const obliging = system.spawnHere(Obliging);
    const inActor = (what: (actor: ActorContext) => unknown) => () => obliging.ask('call', what) as Promise<unknown>;
    const ref = foreign as AnyActorRef;
    const calls: (() => Promise<unknown>)[] = [
      () => system.stop(ref),
      () => system.watch(ref),
      () => system.register('foreign', ref),
      () => system.unregister('foreign', ref),
      () => system.group('foreign').join(ref as never),
      inActor((actor) => actor.stop(ref)),
      inActor((actor) => actor.watch(ref)),
      inActor((actor) => actor.unwatch(ref)),
    ];
    for (const call of calls) {
      await t.throwsAsync(call, { code: 'ERR_HEDDLE_INVALID_ARGUMENT', message: /own system, own-.*is one of other-/ });
    }
    t.is(await own.ask('get'), 1, 'nothing has become of the actor at that address');
    t.is(await foreign.ask('get'), 100);
    await other.stop(foreign);
    t.is(await own.ask('get'), 1);
  });

  test(`an actor reaches an actor of another system of the process, ${on}`, async (t) => {
    const { system, own, foreign } = await neighbours(t, on);
    const obliging = system.spawnHere(Obliging);
    t.is(await obliging.ask('call', (actor) => actor.ask(foreign, 'get')), 100);
    t.is(await obliging.ask('call', (actor) => actor.ask(own, 'get')), 1);
  });

  test(`a ref that comes to a thread of another system is not taken for one of its own, ${on}`, async (t) => {
    const { system, own, foreign } = await neighbours(t, on);
    const friend = await system.spawn(Friend, undefined, { on: 'worker-1' });
    await friend.ask('meet', foreign);
    await friend.ask('tellAll', 5);
    t.is(await own.ask('get'), 1);
    const returned = await friend.ask('first');
    t.false(returned?.equals(own));
    // The systems are not connected: nobody there knows the way.
    await t.throwsAsync(friend.ask('sum'), { code: 'ERR_HEDDLE_NODE_LOST' });
  });
}
