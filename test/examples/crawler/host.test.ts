import test, { type ExecutionContext } from 'ava';
import { createTestKit } from 'heddle/testkit';
import { findLinks } from '../../../examples/crawler/fetcher.js';
import { Host } from '../../../examples/crawler/host.js';
import type { CrawlerMessages, FetcherMessages, Manners, Page } from '../../../examples/crawler/messages.js';
import { isAllowed, parseRobots } from '../../../examples/crawler/robots.js';

const origin = 'http://site.test';
const polite: Manners = { intervalMs: 1000, maximumInFlight: 2, maximumAttempts: 3, backoffMs: 500 };
const done: Page = { status: 200, links: [] };

/** A host whose fetcher and crawler are played by the test, and whose time stands still. */
async function makeHost(t: ExecutionContext, manners: Partial<Manners> = {}, robots: Partial<Page> = {}) {
  const kit = await createTestKit({ manualTime: true });
  t.teardown(() => kit.close());
  const fetcher = kit.probe<FetcherMessages>('fetcher');
  const crawler = kit.probe<CrawlerMessages>('crawler');
  const host = kit.system.spawnHere(Host, {
    origin,
    crawler: crawler.ref,
    fetchers: [fetcher.ref],
    manners: { ...polite, ...manners },
  });
  const question = await fetcher.expectMessage('fetch', `${origin}/robots.txt`);
  return { kit, fetcher, crawler, host, answerRobots: () => question.reply({ ...done, ...robots }) };
}

test('nothing is fetched before robots.txt is known, and nothing that it forbids', async (t) => {
  const { fetcher, crawler, host, answerRobots } = await makeHost(
    t,
    {},
    { text: 'User-agent: *\nDisallow: /private/\n' },
  );
  host.tell('visit', `${origin}/private/diary`);
  host.tell('visit', `${origin}/`);
  await fetcher.expectNothing(10_000);
  answerRobots();
  await fetcher.expectMessage('fetch', `${origin}/`);
  const { payload } = await crawler.expectMessage('visited');
  t.deepEqual(payload, { url: `${origin}/private/diary`, outcome: 'disallowed', status: 0, attempts: 0, links: [] });
});

test('requests go out one interval apart, and not more at once than allowed', async (t) => {
  const { kit, fetcher, crawler, host, answerRobots } = await makeHost(t);
  answerRobots();
  for (const path of ['/1', '/2', '/3', '/4']) host.tell('visit', origin + path);
  const first = await fetcher.expectMessage('fetch', `${origin}/1`);
  await fetcher.expectNothing(999);
  await kit.advance(1);
  const second = await fetcher.expectMessage('fetch', `${origin}/2`);
  await fetcher.expectNothing(10_000);

  first.reply({ status: 200, links: [`${origin}/5`] });
  await fetcher.expectMessage('fetch', `${origin}/3`);
  t.deepEqual((await crawler.expectMessage('visited')).payload.links, [`${origin}/5`]);
  second.reply(done);
  await fetcher.expectNothing(999);
  await kit.advance(1);
  await fetcher.expectMessage('fetch', `${origin}/4`);
});

test('the pause that robots.txt asks for is kept', async (t) => {
  const { kit, fetcher, host, answerRobots } = await makeHost(t, {}, { text: 'User-agent: *\nCrawl-delay: 5\n' });
  answerRobots();
  host.tell('visit', `${origin}/1`);
  host.tell('visit', `${origin}/2`);
  await fetcher.expectMessage('fetch', `${origin}/1`);
  await fetcher.expectNothing(4999);
  await kit.advance(1);
  t.is((await fetcher.expectMessage('fetch', `${origin}/2`)).payload, `${origin}/2`);
});

test('a host that fails is asked again, later each time, and then given up', async (t) => {
  const { kit, fetcher, crawler, host, answerRobots } = await makeHost(t, { intervalMs: 0 });
  answerRobots();
  host.tell('visit', `${origin}/`);
  (await fetcher.expectMessage('fetch')).reply({ status: 503, links: [] });
  await fetcher.expectNothing(499);
  await kit.advance(1);
  (await fetcher.expectMessage('fetch')).refuse(new Error('connection reset'));
  await fetcher.expectNothing(999);
  await kit.advance(1);
  (await fetcher.expectMessage('fetch')).reply({ status: 500, links: [] });
  const { payload } = await crawler.expectMessage('visited');
  t.deepEqual(payload, { url: `${origin}/`, outcome: 'failed', status: 500, attempts: 3, links: [] });
  await fetcher.expectNothing(60_000);
});

test('a page that is not there is not asked for again', async (t) => {
  const { fetcher, crawler, host, answerRobots } = await makeHost(t);
  answerRobots();
  host.tell('visit', `${origin}/`);
  (await fetcher.expectMessage('fetch')).reply({ status: 404, links: [] });
  const { payload } = await crawler.expectMessage('visited');
  t.deepEqual([payload.outcome, payload.attempts], ['missing', 1]);
});

test('robots.txt: rules for everybody, with comments, in groups', (t) => {
  const text =
    'User-agent: bot\nDisallow: /a\n\nUser-agent: x\nUser-agent: *\nDisallow: /b # b\nDisallow:\nCrawl-delay: 0.5';
  const robots = parseRobots(text);
  t.deepEqual(robots, { disallowed: ['/b'], crawlDelayMs: 500 });
  t.true(isAllowed(robots, `${origin}/a`));
  t.false(isAllowed(robots, `${origin}/b/c?d`));
  t.deepEqual(parseRobots('<html>'), { disallowed: [], crawlDelayMs: 0 });
});

test('links are absolute, without fragments, each once, and of the web', (t) => {
  const html =
    '<a href="b#x">, <A class="y" HREF="/b">, <a href="../c?d=1">, <a href="mailto:x@y">, <a href="http://[">';
  t.deepEqual(findLinks(html, `${origin}/a/`), [`${origin}/a/b`, `${origin}/b`, `${origin}/c?d=1`]);
});
