import test from 'ava';
import {
  currentState,
  finalizer,
  type HeddleError,
  observe,
  proxy,
  releaseProxy,
  withTrace,
  wrap,
} from '../../../src/index.js';
import { Parcel } from '../actors/fixtures/machines.js';
import { LibraryActor } from '../actors/fixtures/objects.js';
import { Traced, tenant } from '../actors/fixtures/traced.js';
import { pair, until } from './support.js';

for (const contexts of [0, 1]) {
  test(`machines of another system are observed; contexts=${contexts}`, async (t) => {
    const { server, client, peer } = await pair(t, { contexts, register: [Parcel] });
    const parcel = await peer.spawn(Parcel, { to: 'Rome' });
    const seen: string[] = [];
    observe(parcel, { next: ({ value }) => void seen.push(String(value)), complete: () => void seen.push('complete') });
    await until(() => seen.length === 1);
    t.is((await parcel.ask('pack', { items: 3 })).context.items, 3);
    t.is((await currentState(parcel)).value, 'packed');
    await until(() => seen.length === 2);
    await client.stop(parcel);
    await until(() => seen.length === 3);
    t.deepEqual(seen, ['empty', 'packed', 'complete']);
    const other = await peer.spawn(Parcel, { to: 'Oslo' });
    const error = new Promise((resolve) => observe(other, { error: resolve, complete: () => resolve(undefined) }));
    await currentState(other);
    await server.close();
    // Its last word may have come before its end.
    t.true([undefined, 'ERR_HEDDLE_NODE_LOST'].includes(((await error) as HeddleError | undefined)?.code));
  });

  test(`objects of another system are called, and call back; contexts=${contexts}`, async (t) => {
    const { server, peer, client } = await pair(t, { contexts, register: [LibraryActor] });
    const ref = await peer.spawn(LibraryActor, { name: 'far away' });
    const library = wrap(ref);
    t.is(await library.add('Dune'), 1);
    let finalized = 0;
    const reader = Object.assign((title: string) => `read ${title}`, { [finalizer]: () => void finalized++ });
    await library.subscribe(proxy(reader));
    t.deepEqual(await library.announce('Emma'), ['read Emma']);
    const card = await library.card(`Ada ${contexts}`);
    t.is(await card.lend('Dune'), `Ada ${contexts} has 1: Dune`);
    card[releaseProxy]();
    await until(async () => (await library.finalized()).includes(`Ada ${contexts}`));
    await t.throwsAsync(library.fail('no such book'), { message: /no such book/ });
    const never = t.throwsAsync<HeddleError>(library.never());
    await server.close();
    t.regex(String((await never)?.code), /^ERR_HEDDLE_(ACTOR_STOPPED|NODE_LOST)$/);
    await until(() => finalized === 1, 'the callback to be let go of');
    // What stands for all proxies of a context stays, and so does the node's receptionist.
    await until(() => client.host.actorCount === 2);
  });

  test(`traces go on in another system; contexts=${contexts}`, async (t) => {
    const { peer } = await pair(t, { contexts, register: [Traced] });
    const traced = await peer.spawn(Traced);
    const trace = { traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' };
    const seen = await withTrace(trace, () => tenant.run('acme', () => traced.ask('see')));
    t.is(seen.trace?.parentSpanId, '00f067aa0ba902b7');
    t.is(seen.tenant, 'acme');
  });
}
