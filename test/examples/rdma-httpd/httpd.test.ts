import { truncate } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import test from 'ava';
import { fetchAll, kib, makeGate, patternOf, plainGet, setUp, slotBytes } from './support.js';

const sizes = [0, 1, slotBytes - 1, slotBytes, slotBytes + 1, 9 * slotBytes + 7];
const files = Object.fromEntries(sizes.map((size) => [`${size}.bin`, patternOf(size, size)]));
const lines = Array.from({ length: 5000 }, (_, line) => `${String(line).padStart(15)}\n`).join('');

for (const mode of ['server-writes', 'client-reads'] as const) {
  for (const portal of ['tcp://127.0.0.1:0', 'shm://rdma-httpd-client']) {
    test.serial(`bodies of all kinds come by RDMA, ${mode}, ${portal.slice(0, 3)}`, async (t) => {
      const { url, client: open, status, untilFree } = await setUp(t, files, { portal });
      const client = await open({ mode });
      for (let round = 0; round < 2; round++) {
        // Data in an open file.
        for (const [name, content] of Object.entries(files)) {
          const { status: code, body, by, fields } = await fetchAll(client, url(`/${name}`));
          t.is(code, 200);
          t.is(by, 'rdma');
          t.is(fields['content-length'], undefined);
          t.regex(String(fields['heddle-rdma']), new RegExp(`length=${content.length}$`));
          t.true(body.equals(content), name);
        }
        // Data in a buffer.
        const list = await fetchAll(client, url('/'));
        t.deepEqual(JSON.parse(list.body.toString()), Object.keys(files).sort());
        // Data whose memory is used again at once.
        const made = await fetchAll(client, url('/~lines/5000'));
        t.is(made.by, 'rdma');
        t.is(made.body.toString(), lines);
        t.is((await fetchAll(client, url('/nothing'))).status, 404);
      }
      const { rdmaSessionsOpened, rdmaBytes } = await status();
      t.is(rdmaSessionsOpened, 1, 'one session serves all requests of an HTTP connection');
      t.true(rdmaBytes > 2 * lines.length);
      await client.close();
      await untilFree();
      t.is(client.sessions, 0);
    });
  }
}

test.serial('other clients get the same from the same URL, by HTTP', async (t) => {
  const { url, status } = await setUp(t, files);
  for (const [name, content] of Object.entries(files)) {
    const { response, body } = await plainGet(url(`/${name}`));
    t.is(response.headers['content-length'], String(content.length));
    t.is(response.headers['heddle-rdma'], undefined);
    t.true(body.equals(content), name);
  }
  t.is((await plainGet(url('/~lines/5000'))).body.toString(), lines);
  t.is((await status()).rdmaSessionsOpened, 0);
});

test.serial('pipelined requests are answered in order, and too many of them end the connection', async (t) => {
  const { url } = await setUp(t, files);
  const { port } = new URL(url('/'));
  const ask = async (requests: number, last: string) => {
    const socket = connect({ port: Number(port), host: '127.0.0.1' });
    socket.on('error', () => {});
    socket.write(`GET /~lines/1 HTTP/1.1\r\nHost: x\r\n\r\n`.repeat(requests) + last);
    return text(socket).catch(() => 'reset');
  };
  const few = await ask(50, 'GET /1.bin HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  t.is(few.split('HTTP/1.1 200 OK').length - 1, 51);
  t.true(few.lastIndexOf('content-length: 16') < few.indexOf('content-length: 1\r'));
  const many = await ask(5000, '');
  t.true(many.split('HTTP/1.1 200 OK').length - 1 < 5000);
  t.is((await plainGet(url('/1.bin'))).body.length, 1);
});

test.serial('several HTTP connections have a session each, and share the workers', async (t) => {
  const content = patternOf(1, 300 * kib);
  const { url, client: open } = await setUp(t, { 'a.bin': content }, { workers: 2 });
  const clients = await Promise.all([
    open(),
    open({ mode: 'client-reads' }),
    open(),
    open({ slots: 1, slotBytes: 4096 }),
  ]);
  await Promise.all(
    clients.map(async (client) => {
      for (let round = 0; round < 5; round++) {
        const { by, body } = await fetchAll(client, url('/a.bin'));
        t.is(by, 'rdma');
        t.true(body.equals(content));
      }
      t.is(client.sessions, 1);
    }),
  );
});

test.serial('requests of one client wait for each other on their connection', async (t) => {
  const { url, client: open } = await setUp(t, files);
  const client = await open();
  const answers = await Promise.all(sizes.map((size) => fetchAll(client, url(`/${size}.bin`))));
  for (const [index, { body }] of answers.entries()) t.true(body.equals(files[`${sizes[index]}.bin`]!));
  t.is(client.sessions, 1);
});

for (const mode of ['server-writes', 'client-reads'] as const) {
  test.serial(`a client that takes its time holds up its own stream, and the order stays, ${mode}`, async (t) => {
    const content = patternOf(1, 20 * slotBytes);
    const { url, client: open } = await setUp(t, { 'a.bin': content });
    const slow = await open({ mode });
    const quick = await open({ mode });
    const gate = makeGate();
    const pieces: Buffer[] = [];
    let busy = 0;
    const download = slow.get(url('/a.bin'), async (bytes) => {
      t.is(++busy, 1, 'one piece at a time');
      await gate.opened;
      pieces.push(Buffer.from(bytes));
      busy--;
    });
    t.true((await fetchAll(quick, url('/a.bin'))).body.equals(content));
    gate.open();
    await download;
    t.true(Buffer.concat(pieces).equals(content));
  });

  test.serial(`a client that gives up in the middle leaves nothing behind, ${mode}`, async (t) => {
    const content = patternOf(1, 100 * slotBytes);
    const { url, client: open, untilFree } = await setUp(t, { 'a.bin': content });
    const client = await open({ mode });
    const abort = new AbortController();
    let pieces = 0;
    const download = client.get(
      url('/a.bin'),
      () => {
        if (++pieces === 5) abort.abort(new Error('enough'));
      },
      { signal: abort.signal },
    );
    await t.throwsAsync(download, { message: 'enough' });
    await untilFree();
    t.is(client.sessions, 0);
    // The next request opens both anew.
    t.true((await fetchAll(client, url('/a.bin'))).body.equals(content));
    t.is(client.sessions, 1);
  });

  test.serial(`a sink that fails ends its download with its error, and no other, ${mode}`, async (t) => {
    const content = patternOf(1, 10 * slotBytes);
    const { url, client: open, untilFree } = await setUp(t, { 'a.bin': content });
    const client = await open({ mode });
    let pieces = 0;
    const failing = client.get(url('/a.bin'), () => {
      if (++pieces === 3) throw new Error('the disk is full');
    });
    await t.throwsAsync(failing, { message: 'the disk is full' });
    t.true((await fetchAll(client, url('/a.bin'))).body.equals(content));
    await client.close();
    await untilFree();
  });
}

test.serial('a file that becomes shorter while it is sent ends the download by an error', async (t) => {
  const content = patternOf(1, 100 * slotBytes);
  const { url, folder, client: open, untilFree } = await setUp(t, { 'a.bin': content });
  const client = await open();
  let pieces = 0;
  const download = client.get(url('/a.bin'), async () => {
    if (++pieces === 2) await truncate(join(folder, 'a.bin'), 10);
  });
  await t.throwsAsync(download);
  await client.close();
  await untilFree();
  t.is((await plainGet(url('/a.bin'))).body.length, 10);
});

test.serial('when the worker dies, clients learn of it, and another takes its place', async (t) => {
  const content = patternOf(1, 50 * slotBytes);
  const { url, httpd, client: open } = await setUp(t, { 'a.bin': content });
  const client = await open();
  let pieces = 0;
  const download = client.get(url('/a.bin'), async () => {
    if (++pieces === 3) await httpd.workers[0]!.terminate();
  });
  await t.throwsAsync(download);
  let next = await fetchAll(client, url('/a.bin')).catch(() => undefined);
  // Until the new worker is there, connections of the old one end, and requests are refused.
  while (next?.status !== 200) next = await fetchAll(client, url('/a.bin')).catch(() => undefined);
  t.true(next.body.equals(content));
  t.is(client.sessions, 1);
});

test.serial('a server that closes while a worker is replaced leaves none behind', async (t) => {
  const { httpd } = await setUp(t, files);
  const { node } = httpd;
  const warnings: string[] = [];
  const onWarning = (warning: Error) => warnings.push(String(warning));
  process.on('warning', onWarning);
  await httpd.workers[0]!.terminate();
  // The front has heard of it: another one is being started.
  while (httpd.workers.length > 0) await new Promise(setImmediate);
  await httpd.close();
  t.is(node.contexts.length, 0);
  // Nobody is being started whom the end of the node would stop half way.
  await node.close();
  await new Promise(setImmediate);
  process.off('warning', onWarning);
  t.deepEqual(warnings, []);
});

test.serial('a server that closes lets the answer that is under way end', async (t) => {
  const content = patternOf(1, 20 * slotBytes);
  const { url, httpd, client: open } = await setUp(t, { 'a.bin': content });
  const client = await open();
  let closed: Promise<void> | undefined;
  const pieces: Buffer[] = [];
  await client.get(url('/a.bin'), (bytes) => {
    closed ??= httpd.close({ timeoutMs: 60_000 });
    pieces.push(Buffer.from(bytes));
  });
  t.true(Buffer.concat(pieces).equals(content));
  await client.close();
  await closed;
});
