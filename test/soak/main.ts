/**
 * The soak: contexts on threads that talk to each other in every way there is, at random, for as long as one likes.
 *
 *   npm run soak -- [--seed N] [--seconds S] [--transport shm|tcp|rdma] [--second-process]
 *
 * With --second-process every other context runs in one. Without --seed one is drawn and printed; without --transport all are soaked, a share of the time each. A seed repeats its
 * plan and the choices of every context; how threads interleave is the machine's.
 */
import { parseArgs } from 'node:util';
import { runSoak, type SoakReport } from './soak.js';
import { makePlan } from './soak-plan.js';

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seconds: { type: 'string' },
    transport: { type: 'string' },
    'second-process': { type: 'boolean', default: false },
  },
});

function fail(what: string): never {
  console.error(
    `${what}\nusage: npm run soak -- [--seed N] [--seconds S] [--transport shm|tcp|rdma] [--second-process]`,
  );
  process.exit(2);
}

const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed);
const seconds = Number(values.seconds ?? 60);
if (!Number.isInteger(seed)) fail(`--seed ${values.seed} is no integer`);
if (!(seconds > 0)) fail(`--seconds ${values.seconds} is not above 0`);
const secondProcess = values['second-process'];
const transports = (['shm', 'tcp', 'rdma'] as const).filter(
  (one) => (values.transport === undefined && !(secondProcess && one === 'shm')) || one === values.transport,
);
if (secondProcess && values.transport === 'shm') fail('--transport shm goes between threads, not --second-process');
if (transports.length === 0) fail(`--transport ${values.transport} is none of shm, tcp and rdma`);

const count = (number: number) => Math.round(number).toLocaleString('en-US');
const mebibytes = (bytes: number) => `${count(bytes / 1024 / 1024)} MiB`;

function printReport({ plan, seconds: taken, counts, problems, slabBytes, residentBytes }: SoakReport): void {
  console.log(
    `  ${count(counts.messages)} messages (${count(counts.requests)} requests, ${count(counts.oneWays)} one-way, ` +
      `${count(counts.receipts)} with receipt; ${count(counts.large)} large), ${mebibytes(counts.bytes)}`,
  );
  console.log(
    `  ${count(counts.connections)} connections: ${count(counts.closed)} closed, ${count(counts.destroyed)} destroyed, ` +
      `${count(counts.endedByPeer)} ended by the service`,
  );
  console.log(`  in ${taken.toFixed(1)} s; slabs ${mebibytes(slabBytes)}, resident ${mebibytes(residentBytes)}`);
  if (problems.length === 0) console.log('  nothing lost, doubled, out of order or left behind');
  for (const problem of problems) console.log(`  PROBLEM ${problem}`);
  if (problems.length > 0) {
    console.log(
      `  again: npm run soak -- --seed ${plan.seed} --seconds ${plan.seconds} --transport ${plan.transport}${plan.hasSecondProcess ? ' --second-process' : ''}`,
    );
  }
}

for (const transport of transports) {
  const plan = makePlan(seed, transport, seconds / transports.length, secondProcess);
  const { contexts, contextOptions } = plan;
  console.log(`soak over ${transport}, seed ${seed}: ${contexts} contexts, ${JSON.stringify(contextOptions)}`);
  const startedMs = performance.now();
  const report = await runSoak(plan, ({ messages, connections, problems }) => {
    const elapsed = (performance.now() - startedMs) / 1000;
    console.log(
      `  ${elapsed.toFixed(0)} s: ${count(messages)} messages, ${count(connections)} connections, ` +
        `${problems.length} problems, resident ${mebibytes(process.memoryUsage.rss())}`,
    );
  });
  printReport(report);
  if (report.problems.length > 0) process.exitCode = 1;
}
