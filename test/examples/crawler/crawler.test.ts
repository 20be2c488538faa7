import test from 'ava';
import { createTestKit } from 'heddle/testkit';
import { Crawler } from '../../../examples/crawler/crawler.js';
import type { FetcherMessages } from '../../../examples/crawler/messages.js';
import { runProgram } from '../../support/run-program.js';

test('the example crawls its own site, and the site agrees', async (t) => {
  const { exitCode, stdout, stderr } = await runProgram('dist/examples/crawler/main.js', ['--contexts', '2']);
  t.is(stderr, '');
  t.false(stdout.includes('PROBLEM'), stdout);
  t.regex(stdout, /^fetched {5}49 pages in [\d.]+ s$/m);
  t.regex(stdout, /^missing {5}2$/m);
  t.regex(stdout, /^given up {4}2, and 16 attempts made again$/m);
  t.regex(stdout, /^disallowed {2}2 by robots\.txt$/m);
  t.true(stdout.includes('the site agrees: every page was found, once, and nothing that is off limits'));
  t.is(exitCode, 0);
});

for (const url of ['site.test', 'ftp://site.test/']) {
  test(`what cannot be crawled is refused: ${url}`, async (t) => {
    const { exitCode, stdout, stderr } = await runProgram('dist/examples/crawler/main.js', [url]);
    t.is(exitCode, 1);
    t.is(stdout, '');
    t.true(stderr.startsWith(`${url} is no URL of http:// or https://\n`), stderr);
  });
}

test('a crawl takes no more pages than it may, and follows no link to another host', async (t) => {
  const kit = await createTestKit();
  t.teardown(() => kit.close());
  const fetcher = kit.probe<FetcherMessages>('fetcher');
  fetcher.answer('fetch', (url) => ({
    status: url.endsWith('robots.txt') ? 404 : 200,
    links: [`${url}a`, `${url}b`, 'http://other.test/'],
  }));
  const manners = { intervalMs: 0, maximumInFlight: 4, maximumAttempts: 1, backoffMs: 1 };
  const crawler = kit.system.spawnHere(Crawler, { fetchers: [fetcher.ref], manners, maximumPages: 10 });
  const report = await crawler.ask('crawl', ['http://site.test/']);
  t.is(report.visits.length, 10);
  t.is(report.leftOut, 11, 'each page links to two more');
  t.is(report.foreignLinks, 10);
  t.deepEqual([...new Set(fetcher.received.map(({ payload }) => new URL(payload).host))], ['site.test']);
});
