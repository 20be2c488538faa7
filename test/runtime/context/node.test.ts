import { threadId } from 'node:worker_threads';
import test from 'ava';
import { type HeddleError, RemoteError } from '../../../src/errors.js';
import type { ContextOptions } from '../../../src/runtime/context/context-options.js';
import { fakeOptions } from './fake-context.js';
import { actionsUrl, makeTestNode, startScripted } from './test-node.js';

test('a context runs its module on a thread of its own', async (t) => {
  const node = makeTestNode(t);
  const handle = await node.startContext(actionsUrl, {
    data: { action: 'describe' },
    options: fakeOptions({ depth: 3 }),
  });
  t.is(handle.state, 'running');
  t.not(handle.threadId, threadId);
  t.is(handle.name, `actions-${handle.id}`);
  t.deepEqual(handle.value, { id: handle.id, name: handle.name, options: { depth: 3 } });
  t.deepEqual(node.contexts, [handle]);
  t.deepEqual(handle.statistics(), { count: 1 });
});

test('contexts have distinct ids and threads, and names as asked', async (t) => {
  const node = makeTestNode(t);
  const handles = await Promise.all([1, 2, 3].map(() => node.startContext(actionsUrl, { name: 'twin' })));
  t.is(new Set(handles.map((handle) => handle.id)).size, 3);
  t.is(new Set(handles.map((handle) => handle.threadId)).size, 3);
  t.deepEqual(
    handles.map((handle) => handle.name),
    ['twin', 'twin', 'twin'],
  );
});

test('stop ends context and thread, however often it is called', async (t) => {
  const node = makeTestNode(t);
  const handle = await node.startContext(actionsUrl);
  const ends = await Promise.all([handle.stop(), handle.stop(), handle.ended]);
  for (const end of ends) t.deepEqual(end, { reason: 'stopped' });
  t.is(handle.state, 'stopped');
  t.deepEqual(await handle.stop(), { reason: 'stopped' });
  t.deepEqual(node.contexts, []);
  await t.throwsAsync(handle.getOptions(), { code: 'ERR_HEDDLE_CONTEXT_LOST', message: /was stopped/ });
});

test('a thread is not used again, even when nothing else is different', async (t) => {
  const node = makeTestNode(t);
  const first = await node.startContext(actionsUrl);
  const stopping = first.stop();
  const second = await node.startContext(actionsUrl);
  await stopping;
  const third = await node.startContext(actionsUrl);
  t.is(new Set([first.threadId, second.threadId, third.threadId]).size, 3);
});

test('a stop that takes too long terminates', async (t) => {
  const node = makeTestNode(t);
  const handle = await node.startContext(actionsUrl, { options: fakeOptions({ stopTakesMs: 60_000 }) });
  const end = await handle.stop({ timeoutMs: 50 });
  t.is(end.reason, 'terminated');
  t.is((end.error as HeddleError).code, 'ERR_HEDDLE_TIMEOUT');
  t.is(handle.state, 'lost');
});

test('a stop can be made shorter while it goes on', async (t) => {
  const node = makeTestNode(t);
  const handle = await node.startContext(actionsUrl, { options: fakeOptions({ stopTakesMs: 60_000 }) });
  const first = handle.stop({ timeoutMs: 60_000 });
  t.is(handle.state, 'stopping');
  await handle.stop({ timeoutMs: 0 });
  t.is((await first).reason, 'terminated');
});

test('what a context throws while stopping is reported, and it stops all the same', async (t) => {
  const node = makeTestNode(t);
  const reports: unknown[] = [];
  node.on('report', (error) => reports.push(error));
  const handle = await node.startContext(actionsUrl, { options: fakeOptions({ throwInStop: true }) });
  t.deepEqual(await handle.stop(), { reason: 'stopped' });
  t.is(reports.length, 1);
  t.regex((reports[0] as Error).message, /stopping went wrong/);
});

test('a handle and a node can be disposed of', async (t) => {
  const node = makeTestNode(t);
  const handle = await node.startContext(actionsUrl);
  await handle[Symbol.asyncDispose]();
  t.is(handle.state, 'stopped');
  const other = await node.startContext(actionsUrl);
  await node[Symbol.asyncDispose]();
  t.is(other.state, 'stopped');
});

test('options can be read and changed at run time', async (t) => {
  const node = makeTestNode(t);
  const handle = await node.startContext(actionsUrl, { options: fakeOptions({ pollMicros: 20 }) });
  t.deepEqual(await handle.getOptions(), { pollMicros: 20 } as unknown as ContextOptions);
  await handle.setOptions(fakeOptions({ pollMicros: 5 }));
  t.deepEqual(await handle.getOptions(), { pollMicros: 5 } as unknown as ContextOptions);
});

test('data can be transferred', async (t) => {
  const node = makeTestNode(t);
  const bytes = new ArrayBuffer(100);
  const data = { action: 'bytes', bytes };
  const handle = await node.startContext(actionsUrl, { data, transferList: [bytes] });
  t.is(handle.value, 100);
  t.is(bytes.byteLength, 0);
});

test('each distinct set of thread settings is in force where it was asked for', async (t) => {
  const node = makeTestNode(t);
  const data = { action: 'environment' };
  const env = { HEDDLE_TEST: 'on' };
  const [plain, changed, same] = await Promise.all([
    node.startContext(actionsUrl, { data }),
    node.startContext(actionsUrl, { data, env, execArgv: ['--no-warnings'] }),
    node.startContext(actionsUrl, { data, env, execArgv: ['--no-warnings'] }),
  ]);
  t.is((plain.value as { env?: string }).env, undefined);
  t.deepEqual(changed.value, { env: 'on', execArgv: ['--no-warnings'] });
  t.deepEqual(same.value, changed.value);
});

test('this thread can be a context too, and is linked to the others', async (t) => {
  const node = makeTestNode(t, { contextName: 'front', contextOptions: fakeOptions({ depth: 2 }) });
  const own = node.context;
  t.is(node.context, own);
  t.is(own.name, 'front');
  t.deepEqual(own.getOptions(), { depth: 2 });
  const { handle, tell, told } = await startScripted(t, node, { data: { action: 'bind', portal: 'back' } });
  t.is(await own.connect('back'), handle.id);
  t.deepEqual([...own.pairs.keys()], [handle.id]);
  await own.bind('front');
  tell({ action: 'connect', portal: 'front' });
  t.deepEqual(await told(), { answer: own.id });
  t.is(own.pairs.size, 1, 'the pair serves both directions');
  await node.close();
  t.is(own.stopped, 1);
});

test('contexts find each other by portal name', async (t) => {
  const node = makeTestNode(t);
  const server = await startScripted(t, node, { data: { action: 'bind', portal: 'sums' } });
  const client = await startScripted(t, node);
  client.tell({ action: 'connect', portal: 'sums' });
  t.deepEqual(await client.told(), { answer: server.handle.id });
  client.tell({ action: 'connect', portal: 'nowhere' });
  t.like(await client.told(), { code: 'ERR_HEDDLE_REFUSED' });
  client.tell({ action: 'bind', portal: 'sums' });
  t.like(await client.told(), { code: 'ERR_HEDDLE_ADDRESS_IN_USE' });
});

test('a module that cannot be imported', async (t) => {
  const node = makeTestNode(t);
  const error = await t.throwsAsync<HeddleError>(node.startContext(new URL('./missing.js', import.meta.url)), {
    code: 'ERR_HEDDLE_CONTEXT_START',
    message: /missing\.js/,
  });
  t.is((error!.cause as RemoteError).remoteCode, 'ERR_MODULE_NOT_FOUND');
  t.deepEqual(node.contexts, []);
});

test('a module without a main function', async (t) => {
  const node = makeTestNode(t);
  await t.throwsAsync(node.startContext('data:text/javascript,export const x = 1'), {
    code: 'ERR_HEDDLE_CONTEXT_START',
    message: /export by default its main function/,
  });
});

test('main throws: class, message, stack and cause arrive', async (t) => {
  const node = makeTestNode(t);
  const error = await t.throwsAsync<HeddleError>(node.startContext(actionsUrl, { data: { action: 'throw' } }), {
    code: 'ERR_HEDDLE_CONTEXT_START',
    message: /not in the mood/,
  });
  const cause = error!.cause as RemoteError;
  t.true(cause instanceof RemoteError);
  t.is(cause.remoteName, 'RangeError');
  t.regex(cause.stack!, /actions\.[jt]s/);
  t.regex((cause.cause as Error).message, /bad weather/);
});

test('main throws a HeddleError: its code and details arrive', async (t) => {
  const node = makeTestNode(t);
  const error = await t.throwsAsync<HeddleError>(node.startContext(actionsUrl, { data: { action: 'throw-coded' } }));
  t.like(error!.cause, { code: 'ERR_HEDDLE_ADDRESS_IN_USE', details: { name: 'x' } });
});

test('the context itself cannot be made', async (t) => {
  const node = makeTestNode(t);
  await t.throwsAsync(node.startContext(actionsUrl, { options: fakeOptions({ throwInConstructor: true }) }), {
    code: 'ERR_HEDDLE_CONTEXT_START',
    message: /no such luck/,
  });
});

test('what cannot be handed to another thread is refused in words', async (t) => {
  const node = makeTestNode(t);
  const returned = await t.throwsAsync<HeddleError>(node.startContext(actionsUrl, { data: { action: 'function' } }), {
    code: 'ERR_HEDDLE_CONTEXT_START',
    message: /what the main function returned cannot be handed/,
  });
  t.is((returned!.cause as HeddleError).code, 'ERR_HEDDLE_INVALID_ARGUMENT');
  await t.throwsAsync(node.startContext(actionsUrl, { data: () => {} }), { message: /the data given to it cannot be/ });
  await t.throwsAsync(node.startContext(actionsUrl, { options: fakeOptions({ callback: () => {} }) }), {
    code: 'ERR_HEDDLE_CONTEXT_START',
  });
  await t.throwsAsync(node.startContext(actionsUrl, { execArgv: ['--no-such-option'] }), {
    code: 'ERR_HEDDLE_CONTEXT_START',
    message: /no-such-option/,
  });
  t.deepEqual(node.contexts, []);
  t.is(
    (await node.startContext(actionsUrl, { data: { action: 'describe' } })).state,
    'running',
    'and the node goes on',
  );
});

test('a thread that fails before it can take its task', async (t) => {
  const node = makeTestNode(t);
  const execArgv = ['--require', '/no/such/file.cjs'];
  await t.throwsAsync(node.startContext(actionsUrl, { execArgv }), {
    code: 'ERR_HEDDLE_CONTEXT_START',
    message: /no\/such\/file/,
  });
  await t.throwsAsync(node.startContext(actionsUrl, { execArgv }), { code: 'ERR_HEDDLE_CONTEXT_START' });
});

test('main takes too long', async (t) => {
  const node = makeTestNode(t);
  const starting = node.startContext(actionsUrl, { data: { action: 'never' }, startTimeoutMs: 500 });
  await t.throwsAsync(starting, { code: 'ERR_HEDDLE_TIMEOUT', message: /startTimeoutMs=500/ });
});

test('a signal ends a start', async (t) => {
  const node = makeTestNode(t);
  const abortion = new AbortController();
  const starting = node.startContext(actionsUrl, { data: { action: 'never' }, signal: abortion.signal });
  abortion.abort(new Error('changed my mind'));
  const error = await t.throwsAsync<HeddleError>(starting, { code: 'ERR_HEDDLE_CANCELLED' });
  t.is((error!.cause as Error).message, 'changed my mind');
  await t.throwsAsync(node.startContext(actionsUrl, { signal: abortion.signal }), { code: 'ERR_HEDDLE_CANCELLED' });
});

test('a node that closes ends its starts, and takes no more', async (t) => {
  const node = makeTestNode(t);
  const starting = node.startContext(actionsUrl, { data: { action: 'never' } });
  const rejected = t.throwsAsync(starting, { code: 'ERR_HEDDLE_CLOSED' });
  await node.close();
  await rejected;
  await node.close();
  await t.throwsAsync(node.startContext(actionsUrl), { code: 'ERR_HEDDLE_CLOSED' });
  t.throws(() => node.context, { code: 'ERR_HEDDLE_CLOSED' });
});

test('arguments are checked', async (t) => {
  const node = makeTestNode(t);
  const invalid = { code: 'ERR_HEDDLE_INVALID_ARGUMENT' } as const;
  await t.throwsAsync(node.startContext('actions.js'), invalid);
  await t.throwsAsync(node.startContext(5 as never), invalid);
  await t.throwsAsync(node.startContext(actionsUrl, { startTimeoutMs: -1 }), invalid);
  await t.throwsAsync(node.startContext(actionsUrl, { cpu: 1.5 }), invalid);
});

test('the size of the rings is checked before anyone connects', (t) => {
  t.throws(() => makeTestNode(t, { ringCapacityBytes: 5000 }), {
    code: 'ERR_HEDDLE_INVALID_ARGUMENT',
    message: /power of two/,
  });
});

test('a CPU hint is honoured, or it is said why not', async (t) => {
  const node = makeTestNode(t);
  const reports: unknown[] = [];
  node.on('report', (error) => reports.push(error));
  const impossible = await node.startContext(actionsUrl, { cpu: 4095 });
  t.is(impossible.cpu, undefined);
  t.is(impossible.cpuError!.code, 'ERR_HEDDLE_CPU_NOT_HONOURED');
  t.deepEqual(reports, [impossible.cpuError]);
  const bound = await node.startContext(actionsUrl, { cpu: 0, data: { action: 'cpus' } });
  // Where the machine has no taskset, or keeps this process off CPU 0, that must have been said.
  if (bound.cpuError === undefined) {
    t.is(bound.cpu, 0);
    t.is(bound.value, '0', 'the thread may run on that CPU only, and main runs there already');
  } else t.regex(bound.cpuError.message, /taskset|Linux|affinity/);
});
