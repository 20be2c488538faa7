/** A crawler that is polite and fast: fetchers on all cores, a rate limit and robots.txt for each host, retries with backoff. */
import { availableParallelism } from 'node:os';
import { createSystem } from 'heddle';
import { integerOf, runCommand, UsageError } from '../command-line.js';
import { Crawler, countOutcomes, type Report } from './crawler.js';
import { Fetcher } from './fetcher.js';
import { type Site, startSite } from './site.js';

const help =
  'npm run example -- crawler [--rate 100] [--at-once 4] [--pages 1000] [--contexts <threads>] [url ...]\n\n' +
  'Without a URL it crawls a site that it starts itself on this machine, and checks what it found.';
const config = {
  allowPositionals: true,
  options: {
    rate: { type: 'string', default: '100' },
    'at-once': { type: 'string', default: '4' },
    pages: { type: 'string', default: '1000' },
    contexts: { type: 'string', default: String(availableParallelism()) },
  },
} as const;

await runCommand(help, config, async ({ values, positionals }) => {
  for (const url of positionals) {
    if (!URL.canParse(url) || !/^https?:/i.test(url)) throw new UsageError(`${url} is no URL of http:// or https://`);
  }
  const site = positionals.length > 0 ? undefined : await startSite();
  const seeds = site === undefined ? positionals : site.origins.map((origin) => `${origin}/page/1`).concat(site.seed);
  const contexts = integerOf('contexts', values.contexts, 0, 1024);
  const manners = {
    intervalMs: 1000 / integerOf('rate', values.rate, 1, 1e6),
    maximumInFlight: integerOf('at-once', values['at-once'], 1, 1e6),
    maximumAttempts: 3,
    backoffMs: 100,
  };

  const system = await createSystem({ name: 'crawler', contexts, signals: ['SIGINT', 'SIGTERM'] });
  const fetchers = await Promise.all(Array.from({ length: Math.max(1, contexts) }, () => system.spawn(Fetcher)));
  const crawler = system.spawnHere(Crawler, {
    fetchers,
    manners,
    maximumPages: integerOf('pages', values.pages, 1, 1e9),
  });

  const hosts = [...new Set(seeds.map((seed) => new URL(seed).host))];
  console.log(`crawling ${hosts.join(' and ')} with ${fetchers.length} fetchers:`);
  console.log(`at most ${values.rate} requests a second and ${values['at-once']} at once for each host`);
  const startMs = performance.now();
  const report = await crawler.ask('crawl', seeds, { timeoutMs: Infinity });
  const seconds = (performance.now() - startMs) / 1000;
  await system.close();

  const { fetched, missing, failed, disallowed } = countOutcomes(report.visits);
  const retries = report.visits.reduce((sum, { attempts }) => sum + Math.max(0, attempts - 1), 0);
  console.log(`\nfetched     ${fetched} pages in ${seconds.toFixed(1)} s`);
  console.log(`missing     ${missing}`);
  console.log(`given up    ${failed}, and ${retries} attempts made again`);
  console.log(`disallowed  ${disallowed} by robots.txt`);
  console.log(
    `links       ${report.knownLinks} to known pages, ${report.foreignLinks} to other hosts, neither followed`,
  );
  if (site === undefined) return;
  const problems = check(site, report, manners.maximumInFlight);
  for (const problem of problems) console.log(`PROBLEM: ${problem}`);
  if (problems.length === 0)
    console.log('\nthe site agrees: every page was found, once, and nothing that is off limits');
  else process.exitCode = 1;
  await site.close();
});

/** Compares what was found with what the site has. */
function check(site: Site, { visits }: Report, maximumInFlight: number): string[] {
  const problems: string[] = [];
  const compare = (outcome: string, expected: readonly string[]) => {
    const found = visits.filter((visit) => visit.outcome === outcome).map(({ url }) => url);
    const missing = expected.filter((url) => !found.includes(url));
    const surplus = found.filter((url, index) => !expected.includes(url) || found.indexOf(url) !== index);
    if (missing.length > 0) problems.push(`not ${outcome}: ${missing.join(', ')}`);
    if (surplus.length > 0) problems.push(`${outcome}, and should not be: ${surplus.join(', ')}`);
  };
  compare('fetched', site.pages);
  compare('missing', site.missing);
  compare('failed', site.broken);
  compare('disallowed', site.disallowed);
  for (const [url, count] of site.requests) {
    if (new URL(url).pathname.startsWith('/private')) problems.push(`${url} was asked for`);
    const allowed = site.flaky.includes(url) || site.broken.includes(url) ? 3 : 1;
    if (count > allowed) problems.push(`${url} was asked for ${count} times`);
  }
  if (site.mostAtOnce() > maximumInFlight) problems.push(`${site.mostAtOnce()} requests at once`);
  return problems;
}
