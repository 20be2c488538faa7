import test from 'ava';
import type { HeddleError } from '../../../src/errors.js';
import type { ContextEnd } from '../../../src/runtime/context/context-end.js';
import { fakeOptions } from './fake-context.js';
import { actionsUrl, makeTestNode, startScripted } from './test-node.js';

/** How a context that has started can be lost, and what is said about it. */
const losses = [
  { action: 'crash', reason: 'crashed', message: /crashed: TypeError: something broke/ },
  { action: 'reject', reason: 'crashed', message: /crashed: TypeError: nobody caught me/ },
  { action: 'exit-soon', reason: 'exited', exitCode: 9, message: /process\.exit \(exitCode=9\)/ },
  { action: 'heap', reason: 'out-of-memory', message: /heap limit/ },
] as const;

for (const loss of losses) {
  test(`lost by ${loss.action}: the handle, the node and the peers are told`, async (t) => {
    const node = makeTestNode(t);
    const events: { id: number; end: ContextEnd }[] = [];
    node.on('contextEnd', (context, end) => events.push({ id: context.id, end }));
    const resourceLimits = { maxOldGenerationSizeMb: 24 };
    const data = { action: 'bind', portal: 'doomed' };
    const doomed = await startScripted(t, node, { data, resourceLimits, name: 'doomed' });
    const peer = await startScripted(t, node);
    peer.tell({ action: 'connect', portal: 'doomed' });
    t.deepEqual(await peer.told(), { answer: doomed.handle.id });
    t.is(await node.context.connect('doomed'), doomed.handle.id);

    const told = peer.told();
    doomed.tell({ action: loss.action });
    const end = await doomed.handle.ended;
    t.is(end.reason, loss.reason);
    if ('exitCode' in loss) t.is(end.exitCode, loss.exitCode);
    t.is(doomed.handle.state, 'lost');
    t.deepEqual(events, [{ id: doomed.handle.id, end }]);

    const atPeer = await told;
    t.like(atPeer, { detached: doomed.handle.id, code: 'ERR_HEDDLE_CONTEXT_LOST' });
    t.regex(atPeer.message!, /doomed/);
    t.regex(atPeer.message!, loss.message);
    t.is(node.context.detached.length, 1);
    t.regex(node.context.detached[0]!.error.message, loss.message);

    peer.tell({ action: 'connect', portal: 'doomed' });
    t.like(await peer.told(), { code: 'ERR_HEDDLE_REFUSED' });
    await t.throwsAsync(doomed.handle.getOptions(), { code: 'ERR_HEDDLE_CONTEXT_LOST', message: loss.message });
    t.deepEqual(await doomed.handle.stop(), end);
  });
}

test('terminated on request, in the middle of an endless loop', async (t) => {
  const node = makeTestNode(t);
  const doomed = await startScripted(t, node, { data: { action: 'bind', portal: 'doomed' } });
  doomed.tell({ action: 'block' });
  t.is((await doomed.told()).answer, undefined);
  const pending = doomed.handle.getOptions();
  const end = await doomed.handle.terminate();
  t.is(end.reason, 'terminated');
  await t.throwsAsync(pending, { code: 'ERR_HEDDLE_CONTEXT_LOST', message: /was terminated/ });
});

test('terminated by its signal', async (t) => {
  const node = makeTestNode(t);
  const abortion = new AbortController();
  const handle = await node.startContext(actionsUrl, { signal: abortion.signal });
  abortion.abort('enough');
  const end = await handle.ended;
  t.is(end.reason, 'terminated');
  t.like(end.error, { code: 'ERR_HEDDLE_CANCELLED', cause: 'enough' });
});

test('process.exit before main has returned', async (t) => {
  const node = makeTestNode(t);
  const error = await t.throwsAsync<HeddleError>(node.startContext(actionsUrl, { data: { action: 'exit' } }), {
    code: 'ERR_HEDDLE_CONTEXT_START',
    message: /process\.exit \(exitCode=7\)/,
  });
  t.like(error!.cause, { code: 'ERR_HEDDLE_CONTEXT_LOST', details: { reason: 'exited', exitCode: 7 } });
});

test('an uncaught exception before main has returned', async (t) => {
  const node = makeTestNode(t);
  const error = await t.throwsAsync<HeddleError>(node.startContext(actionsUrl, { data: { action: 'crash-now' } }), {
    code: 'ERR_HEDDLE_CONTEXT_START',
    message: /crashed: TypeError: something broke/,
  });
  t.is(((error!.cause as HeddleError).cause as Error).message, 'something broke');
});

test('the owner of a portal is lost while another context waits to be connected to it', async (t) => {
  const node = makeTestNode(t);
  const doomed = await startScripted(t, node, { data: { action: 'bind', portal: 'doomed' } });
  const peer = await startScripted(t, node);
  doomed.tell({ action: 'block' });
  await doomed.told();
  peer.tell({ action: 'connect', portal: 'doomed' });
  const connectingHere = node.context.connect('doomed');
  const told = peer.told();
  // The peer's request has reached the directory by the time that a later message of it has come back.
  await peer.handle.getOptions();
  void doomed.handle.terminate();
  await t.throwsAsync(connectingHere, { code: 'ERR_HEDDLE_CONTEXT_LOST', message: /was terminated/ });
  t.regex((await told).code!, /ERR_HEDDLE_(CONTEXT_LOST|REFUSED)/);
});

test('a context that cannot attach rings: the connect says why', async (t) => {
  const node = makeTestNode(t);
  const data = { action: 'bind', portal: 'full' };
  await startScripted(t, node, { data, options: fakeOptions({ throwInAttach: true }) });
  await t.throwsAsync(node.context.connect('full'), { code: 'ERR_HEDDLE_REMOTE', message: /no room for rings/ });
});

test('a context that was stopped is told of as well', async (t) => {
  const node = makeTestNode(t);
  const server = await startScripted(t, node, { data: { action: 'bind', portal: 'sums' } });
  await node.context.connect('sums');
  await server.handle.stop();
  t.like(node.context.detached[0]!.error, { code: 'ERR_HEDDLE_CONTEXT_LOST', details: { reason: 'stopped' } });
});

test('a loss that nobody waits for is reported', async (t) => {
  const node = makeTestNode(t);
  const reported = new Promise<unknown>((resolve) => node.once('report', resolve));
  await node.startContext(actionsUrl, { data: { action: 'crash' } });
  t.like(await reported, { code: 'ERR_HEDDLE_CONTEXT_LOST', details: { reason: 'crashed' } });
});
