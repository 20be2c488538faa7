import test from 'ava';
import { Fan, Tally } from './fixtures/fan.js';
import { testSystem, until } from './support.js';

test('what many actors send in one turn is published while the turn goes on', async (t) => {
  const width = 400;
  const { system } = await testSystem(t, { contexts: 2 });
  const tally = await system.spawn(Tally, undefined, { on: 'worker-1' });
  const fan = await system.spawn(Fan, { to: tally, width }, { on: 'worker-2' });
  const worker = system.node.contexts.find(({ name }) => name === 'worker-2')!;
  // The connection to the other context is there, and the names are known.
  fan.tell('spread');
  await until(async () => (await tally.ask('counted')) === width);
  const before = worker.statistics().publishes;
  fan.tell('spread');
  await until(async () => (await tally.ask('counted')) === 2 * width);
  const publishes = worker.statistics().publishes - before;
  t.true(publishes >= width / 32, `${publishes} publications of ${width} messages`);
});
