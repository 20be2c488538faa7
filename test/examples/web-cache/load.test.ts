import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import test from 'ava';
import { runWrk } from '../../../bench/harness/wrk.js';
import { projectFolder } from '../../support/project.js';
import { kib, patternOf, startSite } from './support.js';

const run = promisify(execFile);

/** Whatever the browser is called here. */
async function browser(...words: string[]): Promise<string> {
  const find = 'command -v chromium || command -v chromium-browser || command -v google-chrome';
  const program = (await run('sh', ['-c', find])).stdout.trim();
  return (await run(program, words, { timeout: 110_000, maxBuffer: kib * kib })).stdout;
}

for (const lengthBytes of [kib, 300 * kib]) {
  test.serial(
    `wrk gets a file of ${lengthBytes} bytes from memory, whole each time, over many connections`,
    async (t) => {
      const { server } = await startSite(t, { 'a.bin': patternOf(1, lengthBytes) }, { revalidateMs: 60_000 });
      const url = `http://127.0.0.1:${server.port}/a.bin`;
      // It throws for any answer that is not right.
      const { requests } = await runWrk(url, { budgetMs: 1000, connections: 24, answerBytes: lengthBytes });
      const { hits, misses, failures } = server.counts;
      t.is(failures, 0);
      t.true(misses <= 24, 'those that came before the file did');
      t.true(hits + misses >= requests);
    },
  );
}

test.serial('a browser shows the site, with its style, its picture and what its script has measured', async (t) => {
  t.timeout(115_000);
  const { server } = await startSite(t, {}, { folder: join(projectFolder, 'examples/web-cache/site') });
  const profile = await mkdtemp(join(tmpdir(), 'web-cache-browser-'));
  t.teardown(() => rm(profile, { recursive: true, force: true }));
  const page = await browser(
    '--headless',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-dev-shm-usage',
    `--user-data-dir=${profile}`,
    // The page's own time stands still while an answer is under way: however busy the machine, the script gets to its end.
    '--virtual-time-budget=60000',
    '--dump-dom',
    `http://127.0.0.1:${server.port}/`,
  );
  t.regex(page, /<h1>It serves<\/h1>/);
  t.regex(page, /<p id="timing">200 answers, the middle one in [\d.]+ ms, as this page sees it\.<\/p>/);
  t.is(server.counts.failures, 0);
  for (const path of ['/', '/style.css', '/loom.svg', '/timing.js']) t.true(server.cache.get(path) !== undefined, path);
  // The script's own 200, but for those that came before the picture had been read.
  t.true(server.counts.hits >= 190, JSON.stringify(server.counts));
});
