/**
 * Runs tests on a real kernel's RDMA stack, without RDMA hardware: in virtual machines that boot a Debian kernel with
 * SoftRoCE on this machine's own file system. As root on Debian it installs what it needs.
 *
 *   npm run test:verbs                       everything but what takes long
 *   npm run test:verbs -- two-hosts netem    some of it
 *   npm run test:verbs -- --all              everything, the whole conformance suite in one guest and between two also
 *   npm run test:verbs -- --run 'ibv_devinfo' --guests 2 --netem 'delay 2ms'
 *                                            a command of your own in each guest
 */
import { parseArgs } from 'node:util';
import { installMissing } from '../install-packages.mjs';
import { runGuests } from './guests.mjs';
import { prepareKernel } from './kernel.mjs';
import { labPackages } from './packages.mjs';
import { scenarios } from './scenarios.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    run: { type: 'string' },
    all: { type: 'boolean', default: false },
    guests: { type: 'string', default: '1' },
    netem: { type: 'string', default: '' },
    seconds: { type: 'string', default: '300' },
  },
});
/** Counters of the device that show that data went through it. */
const shownCounters = ['sent_pkts', 'rcvd_pkts', 'rdma_sends', 'rdma_recvs', 'duplicate_request', 'retry_exceeded_err'];

const unknown = positionals.filter((name) => !scenarios.some((one) => one.name === name));
if (unknown.length > 0 || !['1', '2'].includes(values.guests)) {
  console.error(
    `npm run test:verbs -- ${scenarios.map(({ name }) => `[${name}]`).join(' ')} | --all | --run <command> [--guests 1|2]`,
  );
  process.exit(1);
}
if (process.platform !== 'linux' || process.arch !== 'x64') {
  console.error(
    `The verbs lab needs Linux on x86-64, the architecture of its guests: not run on ${process.platform}-${process.arch}`,
  );
  process.exit(1);
}
if (process.getuid?.() !== 0) {
  console.error('The verbs lab shares the file system with its guests as root: run it as root');
  process.exit(1);
}
installMissing('The verbs lab', labPackages);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(1));
const kernel = prepareKernel();
const own = {
  name: 'run',
  title: values.run,
  guests: Number(values.guests),
  netem: values.netem,
  command: values.run,
  timeoutMs: Number(values.seconds) * 1000,
  packets: 0,
};
const isChosen = ({ name, isLong }) => (positionals.length === 0 ? values.all || !isLong : positionals.includes(name));
const chosen = scenarios.filter(isChosen);
const results = [];
for (const scenario of values.run === undefined ? chosen : [own]) results.push(await runScenario(scenario));
console.log(`\nverbs lab, kernel ${kernel.version}:`);
for (const { name, isPassed, summary } of results)
  console.log(`  ${isPassed ? 'passed' : 'FAILED'}  ${name}: ${summary}`);
process.exitCode = results.every(({ isPassed }) => isPassed) ? 0 : 1;

async function runScenario(scenario) {
  console.log(`\n=== ${scenario.name}: ${scenario.title}${scenario.netem ? ` (${scenario.netem})` : ''}`);
  const started = Date.now();
  const { problem, exitCodes, counters } = await runGuests(kernel, scenario);
  counters.forEach((of, guest) => {
    console.log(`--- counters of guest ${guest}'s device, before and after:`);
    for (const name of shownCounters) {
      if (of[name] !== undefined) console.log(`    ${name.padEnd(20)} ${of[name].before} -> ${of[name].after}`);
    }
  });
  const packets = counters.map(({ sent_pkts: sent }) => (sent?.after ?? 0) - (sent?.before ?? 0));
  const isProven = packets.length === scenario.guests && packets.every((count) => count >= scenario.packets);
  const summary = [
    problem ?? `exit codes ${exitCodes.join(', ')}`,
    `packets sent by the device: ${packets.join(', ') || 'unknown'}${isProven ? '' : `, fewer than ${scenario.packets}`}`,
    `${Math.round((Date.now() - started) / 1000)} s`,
  ].join('; ');
  const isPassed = problem === undefined && isProven && exitCodes.every((code) => code === 0);
  return { name: scenario.name, isPassed, summary };
}
