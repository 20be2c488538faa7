import { MessageChannel } from 'node:worker_threads';
import test, { type ExecutionContext } from 'ava';
import { HeddleError } from '../../../src/errors.js';
import type { AnyContextOptions } from '../../../src/runtime/context/context-runtime.js';
import {
  type ContextControl,
  ControlClient,
  DirectoryClient,
  exposeControl,
  exposeDirectory,
} from '../../../src/runtime/context/control.js';
import { Directory } from '../../../src/runtime/context/directory.js';
import type { Outcome } from '../../../src/runtime/context/error-wire.js';
import { isRingPairClosed, type RingPair } from '../../../src/transports/shm/ring-pair.js';
import { makeTestPair } from './test-rings.js';

const done: Outcome<void> = { ok: true, value: undefined };
const never = <T>() => new Promise<T>(() => {});

/** A control whose calls do what a test says. */
function makeControl(t: ExecutionContext, changes: Partial<ContextControl>) {
  const { port1, port2 } = new MessageChannel();
  const control: ContextControl = {
    start: never,
    attach: never,
    detach: () => {},
    stop: never,
    getOptions: never,
    setOptions: never,
    passivity: async () => ({ passive: true, activity: 1 }),
    osThreadId: () => 5,
    ...changes,
  };
  exposeControl(port2, control);
  t.teardown(() => port2.close());
  return { client: new ControlClient(port1), port1, port2 };
}

test('every kind of call settles when the context is lost, those to come too', async (t) => {
  const { client } = makeControl(t, { passivity: never as never, osThreadId: never as never, detach: never as never });
  const lost = new HeddleError('ERR_HEDDLE_CONTEXT_LOST', 'gone');
  const calls = () => [
    client.start('x', {}, []),
    client.attach(makeTestPair(1, 2).forA),
    client.detach(1, { name: 'Error', message: 'x' }),
    client.stop(5),
    client.getOptions(),
    client.setOptions({}),
    client.passivity(),
    client.osThreadId(),
  ];
  const before = Promise.allSettled(calls());
  client.lose(lost);
  for (const result of [...(await before), ...(await Promise.allSettled(calls()))]) {
    t.deepEqual(result, { status: 'rejected', reason: lost });
  }
});

test('a call brings back values and coded errors', async (t) => {
  let options: AnyContextOptions = { a: 1 };
  const { client } = makeControl(t, {
    getOptions: async () => ({ ok: true, value: options }),
    setOptions: async (changes) => {
      options = changes;
      return done;
    },
    stop: async () => ({
      ok: false,
      error: { name: 'HeddleError', message: 'x', code: 'ERR_HEDDLE_TIMEOUT', details: {} },
    }),
  });
  await client.setOptions({ b: 2 });
  t.deepEqual(await client.getOptions(), { b: 2 });
  await t.throwsAsync(client.stop(1), { code: 'ERR_HEDDLE_TIMEOUT' });
  t.deepEqual(await client.passivity(), { passive: true, activity: 1 });
});

test('a ring pair arrives with its memory shared and its doorbell in working order', async (t) => {
  let arrive: (pair: RingPair) => void = () => {};
  const arrived = new Promise<RingPair>((resolve) => {
    arrive = resolve;
  });
  const { client } = makeControl(t, {
    attach: async (pair) => {
      arrive(pair);
      return done;
    },
  });
  const { forA, forB } = makeTestPair(1, 2);
  await client.attach(forA);
  const pair = await arrived;
  const lastByte = pair.outgoing.byteLength - 1;
  new Uint8Array(pair.outgoing)[lastByte] = 99;
  t.is(new Uint8Array(forB.incoming)[lastByte], 99);
  const rung = new Promise((resolve) => forB.doorbell.once('message', resolve));
  pair.doorbell.postMessage('wake');
  t.is(await rung, 'wake');
  forB.doorbell.close();
});

test('each port has one listener, however many calls are made', async (t) => {
  const { client, port1, port2 } = makeControl(t, {});
  await Promise.all(Array.from({ length: 50 }, () => client.passivity()));
  t.is(port1.listenerCount('message'), 1);
  t.is(port2.listenerCount('message'), 1);
});

test('the directory over a port: values, coded errors, and a count of what is under way', async (t) => {
  const directory = new Directory({ create: makeTestPair, isClosed: isRingPairClosed });
  const attached: number[] = [];
  for (const id of [1, 2]) {
    directory.add({
      id,
      name: `member-${id}`,
      attach: async (pair) => {
        attached.push(id);
        pair.doorbell.close();
      },
      detach: () => {},
    });
  }
  const { port1, port2 } = new MessageChannel();
  exposeDirectory(port1, directory, 1);
  const client = new DirectoryClient(port2);
  t.teardown(() => port2.close());
  await client.bind('mine');
  await t.throwsAsync(client.bind('mine'), { code: 'ERR_HEDDLE_ADDRESS_IN_USE' });
  await client.unbind('mine');
  await t.throwsAsync(client.connect('mine'), { code: 'ERR_HEDDLE_REFUSED' });
  directory.bind(2, 'other');
  const connecting = client.connect('other');
  t.is(client.pending, 1);
  t.is(await connecting, 2);
  t.is(client.pending, 0);
  t.deepEqual(attached, [2, 1]);
});
