/**
 * Connections that come and go, between threads that come and go:
 *
 *   npm run soak:churn -- [--seed N] [--transport tcp|rdma] [--threads N] [--terminations N] [--cycles N]
 *
 * --cycles is how many connections there are between one termination and the next. Prints what the process holds after each.
 */
import { parseArgs } from 'node:util';
import { runChurn } from './churn.js';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
    transport: { type: 'string', default: 'rdma' },
    threads: { type: 'string', default: '4' },
    terminations: { type: 'string', default: '20' },
    cycles: { type: 'string', default: '200' },
  },
});

function count(name: 'seed' | 'threads' | 'terminations' | 'cycles', least: number): number {
  const number = Number(values[name]);
  if (Number.isInteger(number) && number >= least) return number;
  console.error(`--${name} ${values[name]} is no integer from ${least} up`);
  process.exit(2);
}

const { transport } = values;
if (transport !== 'tcp' && transport !== 'rdma') {
  console.error(`--transport ${transport} is neither tcp nor rdma`);
  process.exit(2);
}
const plan = {
  seed: count('seed', 0),
  transport,
  threads: count('threads', 2),
  terminations: count('terminations', 0),
  cyclesBetween: count('cycles', 1),
} as const;
console.log(`churn over ${transport}, seed ${plan.seed}: ${plan.threads} threads`);
const report = await runChurn(plan, ({ cycles, descriptors, residentBytes }) => {
  console.log(
    `  ${cycles} connections: ${descriptors} descriptors, resident ${Math.round(residentBytes / 2 ** 20)} MiB`,
  );
});
console.log(
  `  ${report.cycles} connections ended well, ${report.ended} by a termination, ${report.problems} without reason`,
);
if (report.problems > 0) process.exitCode = 1;
