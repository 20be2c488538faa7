import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { createNode, type Message, type SessionEvent } from '../../../src/index.js';

const talkerUrl = new URL('./fixtures/talker.js', import.meta.url);

async function startProcess(t: ExecutionContext, uri?: string): Promise<{ child: ChildProcess; uri: string }> {
  const script = new URL('./fixtures/process.js', import.meta.url);
  const child = fork(script, uri === undefined ? [] : [uri], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  t.teardown(() => child.kill('SIGKILL'));
  const [address] = await once(child, 'message');
  return { child, uri: address as string };
}

/** Each request has its answer, whose buffer is given back, or the error of a connection that was lost. */
async function requireEnded(t: ExecutionContext, outcomes: Promise<PromiseSettledResult<Message>[]>): Promise<void> {
  for (const outcome of await outcomes) {
    if (outcome.status === 'rejected') t.is(outcome.reason.code, 'ERR_HEDDLE_FLUSHED');
    else outcome.value.takeBuffer()?.release();
  }
}

test('a process that is killed ends what waits for it: each request with a coded error, events in order', async (t) => {
  const { child, uri } = await startProcess(t);
  const node = createNode();
  const events: string[] = [];
  const connection = await node.context.connect(uri, { onEvent: (event: SessionEvent) => events.push(event.type) });
  const held = Array.from({ length: 50 }, (_, index) =>
    connection.request(index % 2 === 0 ? 'hold' : node.context.allocate(300_000)),
  );
  const outcomes = Promise.allSettled(held);
  child.kill('SIGKILL');
  await requireEnded(t, outcomes);
  await connection.ended;
  t.deepEqual(
    events.filter((type) => type.startsWith('connection') || type === 'session-teardown'),
    ['connection-established', 'connection-disconnected', 'connection-teardown', 'session-teardown'],
  );
  await node.close();
  t.is(node.context.memory.buffersHeld, 0, 'buffers that were on their way have come back');
});

// Serial: another test's socket that is blocked could be taken for this one's.
test.serial('a send that fails in the midst of a large message ends it once, with a coded error', async (t) => {
  const { child, uri } = await startProcess(t);
  const node = createNode();
  const connection = await node.context.connect(uri);
  const requests = Array.from({ length: 200 }, () => connection.request(node.context.allocate(600_000)));
  const outcomes = Promise.allSettled(requests);
  let blocked: number | undefined;
  for (let tries = 0; blocked === undefined && tries < 50; tries++) {
    child.kill('SIGCONT');
    await delay(3);
    child.kill('SIGSTOP');
    blocked = await blockedSocket();
  }
  if (blocked !== undefined) {
    // A process that inherits the socket can end it for sending, while it can still be received from.
    const script = 'new (require("node:net").Socket)({ fd: 3, readable: false }).end()';
    const ender = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'ignore', 'inherit', blocked] });
    await once(ender, 'exit');
  }
  child.kill('SIGCONT');
  if (blocked === undefined) await connection.close();
  await requireEnded(t, outcomes);
  await connection.ended;
  await node.close();
  t.is(node.context.memory.buffersHeld, 0);
});

/** The descriptor of this process's TCP socket that can take no more; undefined where none stays so. */
async function blockedSocket(): Promise<number | undefined> {
  let known = '';
  for (let same = 0, looks = 0; same < 2; looks++, await delay(5)) {
    if (looks === 20) return undefined;
    const now = sendQueues();
    same = now.length > 0 && now.join() === known ? same + 1 : 0;
    known = now.join();
  }
  return Number(known.split(' ')[0]);
}

/** What waits to be sent in this process's TCP sockets: descriptor and length. Others have sockets on the machine, too. */
function sendQueues(): string[] {
  const lengths = new Map<string, string>();
  for (const line of readFileSync('/proc/net/tcp', 'utf8').split('\n').slice(1)) {
    const [, , , , queues = '', , , , , inode] = line.trim().split(/\s+/);
    if (queues !== '' && !queues.startsWith('00000000:')) lengths.set(`socket:[${inode}]`, queues);
  }
  return readdirSync('/proc/self/fd').flatMap((descriptor) => {
    try {
      const length = lengths.get(readlinkSync(`/proc/self/fd/${descriptor}`));
      return length === undefined ? [] : [`${descriptor} ${length}`];
    } catch {
      return [];
    }
  });
}

test('a peer that says nothing, without an end of its sockets, is lost within the keepalive time', async (t) => {
  const { child, uri } = await startProcess(t);
  const node = createNode();
  const keepalive = { keepaliveIdleMs: 100, keepaliveIntervalMs: 50, keepaliveProbes: 3 };
  const connection = await node.context.connect(uri, { options: keepalive });
  const held = connection.request(node.context.allocate(5_000_000));
  child.send('stop');
  await t.throwsAsync(held, { code: 'ERR_HEDDLE_FLUSHED' });
  await connection.ended;
  await node.close();
  t.is(node.context.memory.buffersHeld, 0);
  child.kill('SIGCONT');
});

test('a context sleeps while a large message does not go on', async (t) => {
  const { child, uri } = await startProcess(t);
  const node = createNode();
  const connection = await node.context.connect(uri);
  const requests = Array.from({ length: 200 }, () => connection.request(node.context.allocate(600_000)));
  const outcomes = Promise.allSettled(requests);
  child.send('stop');
  const polls = () => node.context.statistics.polls;
  // Timers are none of its business: asleep it does not poll at all.
  let asleep = false;
  for (let looks = 0; !asleep && looks < 200; looks++) {
    const before = polls();
    await delay(20);
    asleep = polls() === before;
  }
  t.true(asleep);
  child.kill('SIGCONT');
  await requireEnded(t, outcomes);
  await node.close();
});

test('a service that is started again at its address is found again', async (t) => {
  const first = await startProcess(t);
  const node = createNode();
  const connection = await node.context.connect(first.uri);
  t.is((await connection.request('one')).value, 'one');
  first.child.kill('SIGKILL');
  await connection.ended;
  await t.throwsAsync(node.context.connect(first.uri), { code: 'ERR_HEDDLE_REFUSED' });
  const second = await startProcess(t, first.uri);
  t.is(second.uri, first.uri);
  const again = await node.context.connect(second.uri);
  t.is((await again.request('two')).value, 'two');
  await node.close();
});

test('threads that are terminated in the middle of talk take nothing with them, and leave nothing behind', async (t) => {
  t.timeout(120_000);
  const node = createNode();
  const hold = setInterval(() => {}, 60_000);
  const server = await node.startContext(talkerUrl, { data: { serve: true, uri: 'rdma://127.0.0.1:0' } });
  const uri = server.value as string;
  const cycle = async () => {
    const talkers = await Promise.all([0, 1].map(() => node.startContext(talkerUrl, { data: { serve: false, uri } })));
    await Promise.all(talkers.map((talker) => talker.terminate()));
  };
  for (let round = 0; round < 3; round++) await cycle();
  const descriptors = countDescriptors();
  for (let round = 0; round < 8; round++) await cycle();
  const connection = await node.context.connect(uri);
  t.is((await connection.request('still there?')).value, 'still there?');
  await connection.close();
  t.true(countDescriptors() <= descriptors + 40, `descriptors before=${descriptors} after=${countDescriptors()}`);
  await node.close();
  clearInterval(hold);
});

test('a thread that serves and is terminated ends its clients, coded', async (t) => {
  const node = createNode();
  const server = await node.startContext(talkerUrl, { data: { serve: true, uri: 'rdma://127.0.0.1:0' } });
  const connection = await node.context.connect(server.value as string);
  const requests = Promise.allSettled(
    Array.from({ length: 20 }, () => connection.request(node.context.allocate(500_000))),
  );
  await server.terminate();
  await requireEnded(t, requests);
  await connection.ended;
  await node.close();
  t.is(node.context.memory.buffersHeld, 0);
});

function countDescriptors(): number {
  return readdirSync('/proc/self/fd').length;
}
