import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import { RdmaClient } from '../../../examples/rdma-httpd/client.js';
import { createNode } from '../../../src/index.js';
import { projectFolder } from '../../support/project.js';
import { fetchAll, kib, makeGate, patternOf, plainGet, type Status } from './support.js';

const run = promisify(execFile);
const program = join(projectFolder, 'dist/examples/rdma-httpd/main.js');

/** The server as a process of its own. */
async function serve(t: ExecutionContext, folder: string) {
  const words = [program, 'serve', folder, '--port', '0', '--workers', '1'];
  const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => child.kill('SIGKILL'));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const url = /http:\S+/.exec((await lines.next()).value)![0];
  return { child, url };
}

async function temporaryFolder(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'rdma-httpd-'));
  t.teardown(() => rm(folder, { recursive: true }));
  return folder;
}

/** Runs the downloading client. */
async function get(...words: string[]): Promise<string> {
  return (await run(process.execPath, [program, 'get', ...words], { timeout: 110_000 })).stdout;
}

/** The files below a folder whose names do not begin with a dot, and their checksums. */
async function checksumsBelow(folder: string): Promise<Map<string, string>> {
  const checksums = new Map<string, string>();
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const name = relative(folder, path);
    if (!entry.isFile() || `/${name}`.includes('/.')) continue;
    checksums.set(
      name,
      createHash('sha256')
        .update(await readFile(path))
        .digest('hex'),
    );
  }
  return checksums;
}

async function curlAll(url: string, names: Iterable<string>, into: string): Promise<void> {
  const lines: string[] = [];
  for (const name of names) {
    const target = url + name.split('/').map(encodeURIComponent).join('/');
    lines.push(`url = "${target}"`, `output = "${join(into, name)}"`);
  }
  const list = join(into, 'list.curl');
  await writeFile(list, lines.join('\n'));
  await run('curl', ['--silent', '--show-error', '--fail', '--create-dirs', '--config', list], { timeout: 110_000 });
  await rm(list);
}

const modules = join(projectFolder, 'node_modules');

test.serial('a real tree of files comes whole to curl', async (t) => {
  t.timeout(110_000);
  const { url } = await serve(t, modules);
  const expected = await checksumsBelow(modules);
  t.true(expected.size > 1000);
  const into = await temporaryFolder(t);
  await curlAll(url, expected.keys(), into);
  t.deepEqual(await checksumsBelow(into), expected);
});

test.serial('the same tree comes whole to the own client, by RDMA', async (t) => {
  t.timeout(110_000);
  const { url } = await serve(t, modules);
  const expected = await checksumsBelow(modules);
  const into = await temporaryFolder(t);
  const said = await get(url, '--recursive', '--into', into);
  t.regex(said, new RegExp(`^${expected.size} files, .*; ${expected.size} of them by RDMA`));
  t.deepEqual(await checksumsBelow(into), expected);
});

for (const scheme of ['tcp', 'rdma']) {
  for (const mode of ['server-writes', 'client-reads']) {
    test.serial(`a part of the tree by ${scheme}, ${mode}, and a load, between two processes`, async (t) => {
      const { url } = await serve(t, modules);
      const by = ['--by', `${scheme}://127.0.0.1:0`, '--mode', mode];
      const into = await temporaryFolder(t);
      const part = 'fast-check/';
      const expected = await checksumsBelow(join(modules, part));
      t.regex(
        await get(url + part, '--recursive', '--into', into, ...by),
        new RegExp(`; ${expected.size} of them by RDMA`),
      );
      t.deepEqual(await checksumsBelow(join(into, part)), expected);

      const words = [program, 'load', `${url}~lines/20000`, '--requests', '30', '--connections', '3', ...by];
      const { stdout } = await run(process.execPath, words, { timeout: 60_000 });
      t.regex(stdout, /^30 requests over 3 connections: .*; 0 failures, 30 by RDMA$/m);
      const status = await statusOf(url);
      t.is(status.rdmaBytes, 30 * 20_000 * 16 + (await bytesBelow(join(into, part))) + (await listedBytes(url, part)));
      await untilFree(url);
    });
  }

  test.serial(`the death of a client that uses ${scheme} frees what the server held for it`, async (t) => {
    const folder = await temporaryFolder(t);
    await writeFile(join(folder, 'a.bin'), patternOf(1, 4 * kib * kib));
    const { url } = await serve(t, folder);
    // It takes the first bytes, and then nothing more.
    const source = `
      import { RdmaClient } from ${JSON.stringify(new URL('../../../examples/rdma-httpd/client.js', import.meta.url).href)};
      import { createNode } from ${JSON.stringify(new URL('../../../src/index.js', import.meta.url).href)};
      const client = await RdmaClient.open(createNode().context, { portal: '${scheme}://127.0.0.1:0' });
      await client.get('${url}a.bin', () => { console.log('begun'); return new Promise(() => {}); });`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', source], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    t.teardown(() => child.kill('SIGKILL'));
    await once(child.stdout, 'data');
    t.is((await statusOf(url)).rdmaSessionsOpen, 1);
    child.kill('SIGKILL');
    await untilFree(url);
  });

  test.serial(`the death of a server that uses ${scheme} is an error at the client, which goes on`, async (t) => {
    const folder = await temporaryFolder(t);
    const content = patternOf(1, 4 * kib * kib);
    await writeFile(join(folder, 'a.bin'), content);
    const doomed = await serve(t, folder);
    const node = createNode();
    t.teardown(() => node.close());
    const client = await RdmaClient.open(node.context, { portal: `${scheme}://127.0.0.1:0` });
    const killed = makeGate();
    const download = client.get(`${doomed.url}a.bin`, () => {
      doomed.child.kill('SIGKILL');
      return killed.opened;
    });
    await once(doomed.child, 'exit');
    killed.open();
    await t.throwsAsync(download);
    while (client.sessions > 0) await new Promise(setImmediate);

    const next = await serve(t, folder);
    const { by, body } = await fetchAll(client, `${next.url}a.bin`);
    t.is(by, 'rdma');
    t.true(body.equals(content));
    await client.close();
    t.is(node.context.memory.buffersHeld, 0);
  });
}

async function statusOf(url: string): Promise<Status> {
  return JSON.parse((await plainGet(`${url}~status`)).body.toString()) as Status;
}

async function untilFree(url: string): Promise<void> {
  for (;;) {
    const { rdmaSessionsOpen, regionsExported, buffersHeld } = await statusOf(url);
    if (rdmaSessionsOpen === 0 && regionsExported === 0 && buffersHeld === 0) return;
  }
}

async function bytesBelow(folder: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) bytes += (await readFile(join(entry.parentPath, entry.name))).length;
  }
  return bytes;
}

/** Bytes of the lists by which the client finds what is below a folder. */
async function listedBytes(url: string, path: string): Promise<number> {
  const { body } = await plainGet(url + path);
  let bytes = body.length;
  for (const name of JSON.parse(body.toString()) as string[]) {
    if (name.endsWith('/')) bytes += await listedBytes(url, path + name);
  }
  return bytes;
}
