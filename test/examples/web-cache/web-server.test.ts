import { mkdir, rm, symlink, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { eventually, kib, patternOf, RawClient, startSite } from './support.js';

test.serial('a miss is loaded by the service, once for all who wait for it; a hit asks nobody', async (t) => {
  const content = patternOf(1, 200 * kib);
  const { server, system } = await startSite(t, { 'a.bin': content }, { revalidateMs: 60_000, maximumLoads: 1 });
  const clients = await Promise.all(Array.from({ length: 8 }, () => RawClient.connect(t, server.port)));
  const answers = await Promise.all(clients.map((client) => client.get('/a.bin')));
  for (const { status, body } of answers) {
    t.is(status, 200);
    t.true(body.equals(content));
  }
  t.is(server.cache.size, 1);

  // Without its service the server has nothing but its memory.
  await system.contextHandle('files')!.terminate();
  const { misses } = server.counts;
  const again = await clients[0]!.get('/a.bin');
  t.true(again.body.equals(content));
  t.is(again.fields.get('content-type'), 'application/octet-stream');
  t.is(server.counts.misses, misses);
});

test.serial(
  'when the service context dies, misses are refused or wait, and are served again by the new one',
  async (t) => {
    const { server, system } = await startSite(t, { 'a.txt': 'first', 'b.txt': 'second' });
    const client = await RawClient.connect(t, server.port);
    t.is((await client.get('/a.txt')).body.toString(), 'first');
    await system.contextHandle('files')!.terminate();
    for (;;) {
      const { status, fields, body } = await client.get('/b.txt');
      if (status === 200) {
        t.is(body.toString(), 'second');
        break;
      }
      t.is(status, 503);
      t.is(fields.get('retry-after'), '1');
    }
    t.is((await client.get('/a.txt')).body.toString(), 'first');
  },
);

test.serial('files of every size around the chunks arrive whole, first and cached', async (t) => {
  const sizes = [0, 1, 65_000, 64 * kib - 300, 64 * kib, 64 * kib + 1, 128 * kib, 1_000_003];
  const files = Object.fromEntries(sizes.map((size) => [`${size}.bin`, patternOf(size, size)]));
  const { server } = await startSite(t, files, { memoryBytes: 8 * kib * kib });
  const client = await RawClient.connect(t, server.port);
  for (let round = 0; round < 2; round++) {
    for (const [name, content] of Object.entries(files)) {
      const { body, fields } = await client.get(`/${name}`);
      t.is(fields.get('content-length'), String(content.length));
      t.true(body.equals(content), name);
    }
  }
  t.is(server.counts.hits, sizes.length);
});

test.serial('a file larger than the cache takes is served all the same, and a part of it', async (t) => {
  const content = patternOf(3, 700 * kib);
  const { server } = await startSite(t, { 'large.bin': content }, { memoryBytes: 1024 * kib });
  const client = await RawClient.connect(t, server.port);
  t.true((await client.get('/large.bin')).body.equals(content));
  const part = await client.get('/large.bin', 'Range: bytes=100-300099\r\n');
  t.is(part.status, 206);
  t.true(part.body.equals(content.subarray(100, 300_100)));
  const { status, fields } = await client.get('/large.bin', `If-None-Match: ${part.fields.get('etag')}\r\n`);
  t.is(status, 304);
  t.is(fields.get('etag'), part.fields.get('etag'));
  t.is(server.cache.size, 0);
});

test.serial('the memory keeps to its bound: what was not asked for lately goes', async (t) => {
  const names = Array.from({ length: 40 }, (_, number) => `${number}.bin`);
  const files = Object.fromEntries(names.map((name, number) => [name, patternOf(number, 100 * kib)]));
  const { server } = await startSite(t, files, { memoryBytes: 1024 * kib, revalidateMs: 60_000 });
  const client = await RawClient.connect(t, server.port);
  for (const name of names) {
    t.true((await client.get(`/${name}`)).body.equals(files[name]!), name);
    t.true((await client.get('/0.bin')).body.equals(files['0.bin']!));
    t.true(server.cache.memory.blockedBytes <= 1024 * kib);
  }
  t.true(server.cache.evictions >= 30);
  // What is asked for all the time stays.
  t.is(server.counts.misses, names.length);
});

test.serial('a part of a cached file, across its chunks', async (t) => {
  const content = patternOf(5, 200 * kib);
  const { server } = await startSite(t, { 'a.bin': content });
  const client = await RawClient.connect(t, server.port);
  await client.get('/a.bin');
  for (const [start, end] of [
    [0, 1],
    [10, 70_000],
    [65_000, 66_000],
    [199 * kib, 200 * kib],
  ] as const) {
    const { status, fields, body } = await client.get('/a.bin', `Range: bytes=${start}-${end - 1}\r\n`);
    t.is(status, 206);
    t.is(fields.get('content-range'), `bytes ${start}-${end - 1}/${content.length}`);
    t.true(body.equals(content.subarray(start, end)));
  }
  const beyond = await client.get('/a.bin', 'Range: bytes=999999-\r\n');
  t.is(beyond.status, 416);
  t.is(beyond.fields.get('content-range'), `bytes */${content.length}`);
});

test.serial('a file that changes while it is sent is sent as it was, and anew to the next', async (t) => {
  const before = patternOf(1, 16 * kib * kib);
  const after = patternOf(2, 16 * kib * kib);
  const { server, write } = await startSite(t, { 'a.bin': before }, { memoryBytes: 80 * kib * kib, revalidateMs: 0 });
  const slow = await RawClient.connect(t, server.port);
  slow.socket.pause();
  slow.send('GET /a.bin HTTP/1.1\r\nHost: x\r\n\r\n');
  await eventually(() => server.cache.get('/a.bin')?.readers === 1);
  const old = server.cache.get('/a.bin')!;

  await write('a.bin', after);
  const quick = await RawClient.connect(t, server.port);
  while (!(await quick.get('/a.bin')).body.equals(after)) {
    // It is answered from the old one until the service has looked and loaded.
  }
  t.true(old.isDropped);
  t.is(old.readers, 1);
  t.true(server.cache.memory.usedBytes > 2 * before.length, 'both versions are there');

  slow.socket.resume();
  const late = await slow.response();
  t.true(late.body.equals(before));
  t.is(late.fields.get('etag'), old.etag);
  await eventually(() => old.readers === 0);
  t.true(server.cache.memory.usedBytes < 2 * before.length, 'the old one is free');
});

test.serial('a cached file that is removed is missing soon', async (t) => {
  const { server, folder } = await startSite(t, { 'a.txt': 'here' }, { revalidateMs: 0 });
  const client = await RawClient.connect(t, server.port);
  t.is((await client.get('/a.txt')).status, 200);
  await rm(join(folder, 'a.txt'));
  while ((await client.get('/a.txt')).status !== 404) {
    // Answered from memory until the service has looked.
  }
  t.is(server.cache.size, 0);
});

test("the date in the head is today's, while it is read a copy of the head has it", async (t) => {
  const { server } = await startSite(t, { 'a.bin': patternOf(1, 16 * kib * kib) }, { memoryBytes: 80 * kib * kib });
  const slow = await RawClient.connect(t, server.port);
  slow.socket.pause();
  slow.send('GET /a.bin HTTP/1.1\r\nHost: x\r\n\r\n');
  await eventually(() => server.cache.get('/a.bin')?.readers === 1);
  const object = server.cache.get('/a.bin')!;
  const head = object.head.toString('latin1');
  const quick = await RawClient.connect(t, server.port);
  while (server.counts.headCopies === 0) {
    const { fields } = await quick.get('/a.bin');
    t.true(Math.abs(Date.now() - Date.parse(fields.get('date')!)) < 60_000);
    t.is(object.head.toString('latin1'), head, 'the head that is being read is not altered');
  }
  slow.socket.destroy();
  await eventually(() => object.readers === 0);
  await quick.get('/a.bin');
  t.not(object.head.toString('latin1'), head);
});

test.serial('a client that dies in the middle leaves nothing behind', async (t) => {
  const { server } = await startSite(t, { 'a.bin': patternOf(1, 16 * kib * kib) }, { memoryBytes: 80 * kib * kib });
  const clients = await Promise.all(Array.from({ length: 5 }, () => RawClient.connect(t, server.port)));
  for (const client of clients) {
    client.socket.pause();
    client.send('GET /a.bin HTTP/1.1\r\nHost: x\r\n\r\n');
  }
  await eventually(() => server.cache.get('/a.bin')?.readers === clients.length);
  for (const client of clients) client.socket.resetAndDestroy();
  await eventually(() => server.connections === 0);
  t.is(server.cache.get('/a.bin')?.readers, 0);
});

test.serial(
  'clients that leave while their file is loaded, and ones that end their side, are no trouble',
  async (t) => {
    const content = patternOf(1, 300 * kib);
    const { server } = await startSite(t, { 'a.bin': content });
    const leaving = await RawClient.connect(t, server.port);
    const ending = await RawClient.connect(t, server.port);
    leaving.send('GET /a.bin HTTP/1.1\r\nHost: x\r\n\r\n');
    ending.socket.end('GET /a.bin HTTP/1.1\r\nHost: x\r\n\r\nGET /a.bin HTTP/1.1\r\nHost: x\r\n\r\n');
    leaving.socket.resetAndDestroy();
    t.true((await ending.response()).body.equals(content));
    t.true((await ending.response()).body.equals(content));
    t.is((await ending.ended()).length, 0);
    await eventually(() => server.connections === 0);
  },
);

test.serial('more loads than are allowed are refused, and can be asked for again', async (t) => {
  const { server } = await startSite(t, { 'a.txt': 'a', 'b.txt': 'b' }, { maximumLoads: 1 });
  const one = await RawClient.connect(t, server.port);
  const other = await RawClient.connect(t, server.port);
  const [first, second] = await Promise.all([one.get('/a.txt'), other.get('/b.txt')]);
  t.deepEqual([first.status, second.status].sort(), [200, 503]);
  t.is((await other.get('/b.txt')).body.toString(), 'b');
  t.is(server.counts.failures, 1);
});

test.serial('what is not there, not a file, outside, or hidden', async (t) => {
  const { server, folder } = await startSite(t, { 'index.html': 'home', '.secret': 'no' });
  await mkdir(join(folder, 'sub'));
  await symlink('/etc/passwd', join(folder, 'link.txt'));
  await symlink('index.html', join(folder, 'inside.html'));
  const client = await RawClient.connect(t, server.port);
  const statusOf = async (path: string) => (await client.get(path)).status;
  t.is((await client.get('/')).body.toString(), 'home');
  t.is((await client.get('/inside.html')).body.toString(), 'home');
  t.is(await statusOf('/nothing.html'), 404);
  t.is(await statusOf('/index.html/more'), 404);
  t.is(await statusOf('/link.txt'), 404);
  t.is(await statusOf('/.secret'), 404);
  t.is(await statusOf('/../../../../etc/passwd'), 404);
  t.is(await statusOf(`/${'a'.repeat(5000)}`), 404);
  t.is(await statusOf('/%ff'), 400);
  const folderAnswer = await client.get('/sub?x');
  t.is(folderAnswer.status, 301);
  t.is(folderAnswer.fields.get('location'), '/sub/');
  t.is(await statusOf('/sub/'), 404);
  t.is(server.counts.failures, 0);
});

test.serial('other methods are refused, a HEAD has no body, and the connection stays', async (t) => {
  const { server } = await startSite(t, { 'a.txt': 'text' });
  const client = await RawClient.connect(t, server.port);
  client.send('DELETE /a.txt HTTP/1.1\r\nHost: x\r\n\r\n');
  const refused = await client.response();
  t.is(refused.status, 405);
  t.is(refused.fields.get('allow'), 'GET, HEAD');
  for (let round = 0; round < 2; round++) {
    client.send('HEAD /a.txt HTTP/1.1\r\nHost: x\r\n\r\n');
    const head = await client.response(false);
    t.is(head.fields.get('content-length'), '4');
  }
  t.is((await client.get('/a.txt')).body.toString(), 'text');
});

test.serial('a bad request is answered and ends the connection; the others go on', async (t) => {
  const { server } = await startSite(t, { 'a.txt': 'text' });
  const good = await RawClient.connect(t, server.port);
  for (const [text, status] of [
    ['\x16\x03\x01\x02\0\x01\0\n', 400],
    [`GET /${'a'.repeat(20_000)}`, 414],
    [`GET / HTTP/1.1\r\nHost: x\r\nA: ${'a'.repeat(20_000)}\r\n`, 431],
    [`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n${'a'.repeat(1_000_000)}`, 405],
  ] as const) {
    const bad = await RawClient.connect(t, server.port);
    bad.send(text);
    const answer = await bad.response();
    t.is(answer.status, status);
    t.is(answer.fields.get('connection'), 'close');
    await bad.ended();
    bad.socket.end();
    t.is((await good.get('/a.txt')).body.toString(), 'text');
  }
});

test.serial('half a request is given up with 408', async (t) => {
  const { server } = await startSite(t, {}, { timeouts: { headMs: 50 } });
  const half = await RawClient.connect(t, server.port);
  half.send('GET / HTTP/1.1\r\nHost');
  t.is((await half.response()).status, 408);
  await half.ended();
  t.is(server.counts.partialRequests, 1);
});

test.serial('a connection without requests is ended', async (t) => {
  const { server } = await startSite(t, {}, { timeouts: { idleMs: 50 } });
  const idle = await RawClient.connect(t, server.port);
  t.is((await idle.ended()).length, 0);
});

test.serial('a client that takes nothing is cut off, and its file is free', async (t) => {
  const content = patternOf(1, 16 * kib * kib);
  const { server } = await startSite(
    t,
    { 'a.bin': content },
    { memoryBytes: 80 * kib * kib, timeouts: { stallMs: 100 } },
  );
  const client = await RawClient.connect(t, server.port);
  client.socket.pause();
  client.send('GET /a.bin HTTP/1.1\r\nHost: x\r\n\r\n');
  await eventually(() => server.cache.get('/a.bin')?.readers === 1);
  await eventually(() => server.connections === 0);
  t.is(server.cache.get('/a.bin')?.readers, 0);
});

test.serial('closing lets the answer that is under way end, and no other begin', async (t) => {
  const content = patternOf(1, 16 * kib * kib);
  const { server } = await startSite(t, { 'a.bin': content }, { memoryBytes: 80 * kib * kib });
  const busy = await RawClient.connect(t, server.port);
  const idle = await RawClient.connect(t, server.port);
  await idle.get('/a.bin');
  busy.socket.pause();
  busy.send('GET /a.bin HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(2));
  await eventually(() => server.cache.get('/a.bin')?.readers === 1);
  const closed = server.close({ timeoutMs: 60_000 });
  await idle.ended();
  idle.socket.end();
  busy.socket.resume();
  t.true((await busy.response()).body.equals(content));
  t.is((await busy.ended()).length, 0);
  busy.socket.end();
  await closed;
  t.is(server.connections, 0);
});

test.serial('a file with the same length and another time is another version', async (t) => {
  const { server, folder, write } = await startSite(t, { 'a.txt': 'one' }, { revalidateMs: 0 });
  const client = await RawClient.connect(t, server.port);
  const first = await client.get('/a.txt');
  await write('a.txt', 'two');
  await utimes(join(folder, 'a.txt'), new Date(), new Date(Date.now() + 5000));
  let next = await client.get('/a.txt');
  while (next.body.toString() !== 'two') next = await client.get('/a.txt');
  t.not(next.fields.get('etag'), first.fields.get('etag'));
});
