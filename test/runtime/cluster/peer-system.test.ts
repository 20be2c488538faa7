import test from 'ava';
import { Counter } from '../actors/fixtures/counter.js';
import { Doorkeeper } from '../actors/fixtures/doors.js';
import { Box } from '../actors/fixtures/life.js';
import { pair, until } from './support.js';

test('what cannot be spawned there, and a group without a name, are refused here', async (t) => {
  const { peer } = await pair(t, { register: [Counter] });
  // biome-ignore lint/suspicious/noExplicitAny: what the compiler would not let pass
  const anyPeer = peer as any;
  const refused = { code: 'ERR_HEDDLE_INVALID_ARGUMENT' };
  for (const definition of [null, undefined, 5, {}]) await t.throwsAsync(anyPeer.spawn(definition), refused);
  for (const options of [null, 'worker-1', { in: 'worker-1' }, { name: 5 }, { name: '' }, { on: 5 }]) {
    await t.throwsAsync(anyPeer.spawn(Counter, { start: 0 }, options), refused);
  }
  for (const name of [null, undefined, 5, '']) t.throws(() => anyPeer.group(name), refused);
  t.is(await (await peer.spawn(Counter, { start: 7 })).ask('get'), 7);
});

test('a group of another node is told as a whole, also where one of it refuses', async (t) => {
  const { server, peer } = await pair(t);
  const doors = server.spawnHere(Doorkeeper);
  const boxes = [server.spawnHere(Box), server.spawnHere(Box)];
  for (const box of boxes) await server.group('boxes').join(box as never);
  boxes[0]!.tell('wait', 'peer group');
  await until(async () => (await doors.ask('waiting', 'peer group')) === 1);
  const failures: unknown[] = [];
  server.on('actorFailure', (failure) => failures.push(failure));
  for (const [index, value] of [1, 2, 3].entries()) {
    peer.group<{ put(value: number): void }>('boxes').publish('put', value);
    await until(async () => (await boxes[1]!.ask('got')).length === index + 1);
  }
  t.deepEqual(failures, []);
  await doors.ask('open', 'peer group');
});
