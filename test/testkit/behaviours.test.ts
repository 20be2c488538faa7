import test from 'ava';
import { currentState, observe, outputOf, proxy, wrap } from '../../src/index.js';
import { createTestKit } from '../../src/testkit.js';
import { Parcel, Secret } from '../runtime/actors/fixtures/machines.js';
import { LibraryActor } from '../runtime/actors/fixtures/objects.js';
import { Offloader } from '../runtime/actors/fixtures/offloaded.js';

test('machines, objects and offloaded functions bear it when every message goes through the codec', async (t) => {
  const kit = await createTestKit({ throughCodec: true });
  t.teardown(() => kit.close());
  const { system } = kit;
  const parcel = system.spawnHere(Parcel, { to: 'Rome' });
  const seen: string[] = [];
  const complete = new Promise<void>((resolve) =>
    observe(parcel, { next: ({ value }) => void seen.push(String(value)), complete: resolve }),
  );
  t.is((await parcel.ask('pack', { items: 2 })).context.items, 2);
  await system.stop(parcel);
  await complete;
  t.deepEqual(seen, ['empty', 'packed']);

  const library = wrap(await system.spawn(LibraryActor, { name: 'here' }));
  await library.add('Dune');
  t.deepEqual(await library.each(proxy((title: string) => `read ${title}`)), ['read Dune']);
  t.is(await (await library.card('Cod')).lend('Emma'), 'Cod has 1: Emma');
  await t.throwsAsync(library.unsendable(), { code: 'ERR_HEDDLE_CODEC' });

  const offloader = system.spawnHere(Offloader);
  t.is(await offloader.ask('square', 5, { timeoutMs: 30_000 }), 25);
});

test('a state that would not reach another thread is an error there', async (t) => {
  const kit = await createTestKit({ throughCodec: true });
  t.teardown(() => kit.close());
  const secret = kit.system.spawnHere(Secret);
  await t.throwsAsync(currentState(secret), { code: 'ERR_HEDDLE_CODEC' });
});

test('delays of a machine are the test’s to move', async (t) => {
  const kit = await createTestKit({ manualTime: true, throughCodec: true });
  t.teardown(() => kit.close());
  const parcel = kit.system.spawnHere(Parcel, { to: 'Rome' });
  const output = outputOf(parcel);
  parcel.tell('pack', { items: 1 });
  await parcel.ask('label');
  await kit.advance(1000);
  parcel.tell('send');
  t.deepEqual(await output, { to: 'Rome', grams: 0 });
});
