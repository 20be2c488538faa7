import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import test from 'ava';
import { projectFolder, readProjectFile } from '../../support/project.js';
import { kib, patternOf, startSite } from './support.js';

const run = promisify(execFile);

/** curl's output, as bytes; it fails for what is no proper HTTP. */
async function curl(...words: string[]): Promise<Buffer> {
  const options = { encoding: 'buffer', maxBuffer: 64 * kib * kib, timeout: 60_000 } as const;
  return (await run('curl', ['--silent', '--show-error', ...words], options)).stdout;
}

test.serial('curl gets files, many over one connection, by HTTP/1.1 and 1.0', async (t) => {
  const content = patternOf(1, 500 * kib);
  const { server } = await startSite(t, { 'a.bin': content, 'b.txt': 'text' });
  const url = `http://127.0.0.1:${server.port}`;
  t.true((await curl(`${url}/a.bin`)).equals(content));
  t.is(
    String(await curl(...Array(5).fill(`${url}/b.txt`), '-w', '%{num_connects} ')),
    'text1 text0 text0 text0 text0 ',
  );
  t.true((await curl('--http1.0', `${url}/a.bin`)).equals(content));
  t.is(String(await curl('--http1.0', '-H', 'Connection: keep-alive', `${url}/b.txt`, `${url}/b.txt`)), 'texttext');
});

test.serial('curl sees heads, conditions, parts and refusals', async (t) => {
  const { server } = await startSite(t, { 'b.txt': 'some text' });
  const url = `http://127.0.0.1:${server.port}/b.txt`;
  const status = ['--output', '/dev/null', '-w', '%{http_code} %{size_download}'];
  const head = String(await curl('--head', url));
  t.regex(head, /^HTTP\/1\.1 200 OK\r\n[\s\S]*Content-Type: text\/plain; charset=utf-8\r\nContent-Length: 9\r\n/);
  const etag = /ETag: (.*)\r\n/.exec(head)![1]!;
  t.is(String(await curl(...status, '-H', `If-None-Match: ${etag}`, url)), '304 0');
  t.is(String(await curl(...status, '--time-cond', 'Wed, 01 Jan 2098 00:00:00 GMT', url)), '304 0');
  t.is(String(await curl('--range', '5-', url)), 'text');
  t.is(String(await curl(...status, '--data', 'x=1', url)), `405 ${'405 Method Not Allowed\n'.length}`);
  t.is(String(await curl(...status, '--compressed', `${url}.gz`)), `404 ${'404 Not Found\n'.length}`);
});

test.serial('the program serves its own site until it is told to end', async (t) => {
  const child = spawn(process.execPath, ['dist/examples/web-cache/main.js', '--port', '0'], {
    cwd: projectFolder,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const url = /http:\S+/.exec((await lines.next()).value)![0];
  t.is(String(await curl(url)), readProjectFile('examples/web-cache/site/index.html'));
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  t.regex((await lines.next()).value, /^0 hits, 1 misses, /);
  t.deepEqual(await exited, [null, 'SIGTERM']);
});

for (const moment of ['made', 'work']) {
  test.serial(`the program ends quietly when it is told to while it starts: its thread is ${moment}`, async (t) => {
    const words = ['--import', './dist/test/examples/web-cache/signal-early.js', 'dist/examples/web-cache/main.js'];
    const child = spawn(process.execPath, [...words, '--port', '0'], {
      cwd: projectFolder,
      env: { ...process.env, SIGNAL_AT: moment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    t.teardown(() => child.kill('SIGKILL'));
    const closed = once(child, 'close');
    t.deepEqual(await Promise.all([text(child.stdout), text(child.stderr)]), ['', '']);
    t.deepEqual(await closed, [null, 'SIGTERM']);
  });
}
