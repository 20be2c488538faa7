/**
 * Runs the README's test command and ends with one line of counts, taken from the run itself. Exits with 1 when a test
 * failed, when none was executed, or when tests left processes behind.
 */
import { formatCounts, summarize } from './ava-summary.mjs';
import { runCaptured } from './run-captured.mjs';

const { exitCode, output, leftovers } = await runCaptured('npm', ['test'], {
  timeoutMs: 60 * 60_000,
  silenceMs: 5 * 60_000,
});
const summary = summarize(output, exitCode);

if (summary.problem !== undefined) console.log(`\n${summary.problem}`);
for (const leftover of leftovers) console.log(`left running by the tests, now ended: ${leftover}`);
console.log(`\n${formatCounts(summary)}`);
process.exitCode = summary.succeeded && leftovers.length === 0 ? 0 : 1;
