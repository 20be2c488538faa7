import test from 'ava';
import type { AnyActorRef, InspectionEvent } from 'xstate';
import { currentState } from '../../../../src/index.js';
import { Parcel } from '../fixtures/machines.js';
import { testSystem, until } from '../support.js';

/** What the Stately inspectors read of events: they would throw where one of these were not there. */
function readAsInspector(event: InspectionEvent) {
  const actorRef = event.actorRef as AnyActorRef & { logic?: { config?: { id?: string } } };
  switch (event.type) {
    case '@xstate.actor':
      return {
        type: event.type,
        rootId: event.rootId,
        sessionId: actorRef.sessionId,
        parentId: actorRef._parent?.sessionId,
        name: actorRef.logic?.config?.id ?? actorRef.id,
        definition: JSON.stringify(actorRef.logic?.config),
        snapshot: actorRef.getSnapshot() as { value?: unknown; status?: string } | undefined,
      };
    case '@xstate.event':
      return {
        type: event.type,
        event: event.event,
        sessionId: actorRef.sessionId,
        sourceId: event.sourceRef && (event.sourceRef as AnyActorRef).sessionId,
      };
    case '@xstate.snapshot':
      return { type: event.type, snapshot: event.snapshot as { value?: unknown }, sessionId: actorRef.sessionId };
    default:
      return { type: event.type, sessionId: actorRef.sessionId };
  }
}
type Read = ReturnType<typeof readAsInspector>;

for (const on of ['here', 'worker-1']) {
  test(`an inspector is told of actors, events and snapshots, ${on}`, async (t) => {
    const read: Read[] = [];
    const { system } = await testSystem(t, {
      contexts: on === 'here' ? 0 : 1,
      askTimeoutMs: 60_000,
      inspect: { next: (event) => void read.push(readAsInspector(event)) },
    });
    const parcel = await system.spawn(Parcel, { to: 'Rome' }, { on });
    parcel.tell('pack', { items: 2 });
    await parcel.ask('weigh');
    await until(() => read.some(({ type, snapshot }) => type === '@xstate.snapshot' && snapshot?.value === 'weighing'));
    await until(async () => (await currentState(parcel)).value === 'packed');
    const isPacked = ({ type, snapshot }: Read) => type === '@xstate.snapshot' && snapshot?.value === 'packed';
    await until(() => read.filter(isPacked).length >= 2);

    const [root] = read;
    t.is(root?.type, '@xstate.actor');
    t.is(root?.name, 'parcel');
    t.is(root?.rootId, root?.sessionId);
    t.is(root?.parentId, undefined);
    t.true(root?.sessionId.startsWith(String(parcel)), 'unique in the system');
    t.regex(String(root?.definition), /"drying"/);
    t.is(root?.snapshot?.value, 'empty');
    const children = read.filter(({ type, parentId }) => type === '@xstate.actor' && parentId === root?.sessionId);
    t.is(children.length, 2, 'the heart and the scales');
    const packed = read.find(({ event }) => event?.type === 'pack');
    t.deepEqual(packed?.event, { type: 'pack', items: 2 });
    t.is(packed?.sessionId, root?.sessionId);
    const go = read.find(({ event }) => event?.type === 'go');
    t.is(go?.sourceId, root?.sessionId, 'events between the actors of a machine');
    t.true(read.some(({ type }) => type === '@xstate.microstep'));
    const introduced = new Set(read.filter(({ type }) => type === '@xstate.actor').map(({ sessionId }) => sessionId));
    t.true(
      read.every(({ sessionId }) => introduced.has(sessionId)),
      'nobody acts before being introduced',
    );
  });
}

test('an inspector that comes late learns of the machines that run, can send to them, and can leave', async (t) => {
  const { system, failures } = await testSystem(t, { contexts: 1, askTimeoutMs: 60_000 });
  const parcel = await system.spawn(Parcel, { to: 'Rome' }, { on: 'worker-1' });
  await parcel.ask('pack', { items: 2 });
  const seen: InspectionEvent[] = [];
  const end = system.inspect((event) => {
    seen.push(event);
    if (seen.length === 1) throw new TypeError('on purpose');
  });
  await until(() => seen.length === 1);
  t.is(seen[0]?.type, '@xstate.actor');
  const actorRef = seen[0]?.actorRef as AnyActorRef;
  t.is((actorRef.getSnapshot() as { value: unknown }).value, 'packed');
  t.is(failures.length, 1, 'an inspector that throws is reported, and is told what follows');
  actorRef.send({ type: 'pack', items: 3 });
  await until(() => seen.some(({ type }) => type === '@xstate.snapshot'));
  t.is((await currentState(parcel)).context.items, 5);
  t.is((actorRef.getSnapshot() as { context: { items: number } }).context.items, 5);
  await system.stop(parcel);
  await until(() => (actorRef.getSnapshot() as { status: string }).status === 'stopped');
  end();
  const count = seen.length;
  await until(() => system.host.actorCount === 0);
  const other = await system.spawn(Parcel, { to: 'Rome' }, { on: 'worker-1' });
  await other.ask('pack', { items: 2 });
  t.is(seen.length, count);
  // @ts-expect-error no inspector
  t.throws(() => system.inspect({ next: 5 }), { code: 'ERR_HEDDLE_INVALID_ARGUMENT' });
});
