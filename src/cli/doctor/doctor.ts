import { parseArgs } from 'node:util';
import { thrownFacts } from '../../errors.js';
import { type Command, exitCodes, UsageError } from '../command.js';
import type { Finding } from './finding.js';
import { thisMachine } from './machine.js';
import { checkMachine } from './machine-checks.js';
import { checkPeer, checkRdma } from './rdma-checks.js';
import { checkTransports } from './transport-checks.js';

/** `heddle doctor`: says what this machine offers to heddle, and what to do where it falls short. */
export const doctorCommand: Command = {
  name: 'doctor',
  summary: 'look at this machine: Node.js, cores, memory, limits, and which transports can run',
  help: [
    'Usage: heddle doctor [--json] [--peer rdma://HOST:PORT]',
    '',
    'Looks at this machine and says what to do where it falls short. Changes nothing.',
    'Exits with 1 when something of heddle does not work here.',
    '',
    'Options:',
    '  --json  one JSON object: { healthy, findings: [{ id, status, summary, action?, facts }] };',
    '          status is ok, advice or problem',
    '  --peer  connects to a portal of heddle and says which wire UCX takes to it',
  ].join('\n'),
  async run(args, output) {
    const { json, peer } = parseOptions(args);
    const findings = [...checkMachine(thisMachine), ...(await checkTransports()), ...checkRdma(thisMachine)];
    if (peer !== undefined) findings.push(await checkPeer(peer));
    const healthy = findings.every(({ status }) => status !== 'problem');
    if (json) output.out(JSON.stringify({ healthy, findings }, null, 2));
    else for (const line of renderFindings(findings)) output.out(line);
    return healthy ? exitCodes.success : exitCodes.failure;
  },
};

/** The findings as lines of a table, each with what to do below it. */
export function renderFindings(findings: readonly Finding[]): string[] {
  const width = Math.max(...findings.map(({ id }) => id.length));
  const lines: string[] = [];
  for (const { id, status, summary, action } of findings) {
    lines.push(`${status.padEnd('problem'.length)}  ${id.padEnd(width)}  ${summary}`);
    if (action !== undefined) lines.push(`${' '.repeat('problem'.length + width + 4)}-> ${action}`);
  }
  const count = (wanted: string) => findings.filter(({ status }) => status === wanted).length;
  lines.push('', `${count('ok')} ok, ${count('advice')} advice, ${count('problem')} problem`);
  return lines;
}

function parseOptions(args: readonly string[]): { json: boolean; peer: string | undefined } {
  try {
    const options = { json: { type: 'boolean', default: false }, peer: { type: 'string' } } as const;
    const { values } = parseArgs({ args: [...args], options });
    return { json: values.json, peer: values.peer };
  } catch (error) {
    throw new UsageError(thrownFacts(error).message, { cause: error });
  }
}
