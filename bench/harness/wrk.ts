/** Runs wrk, a load generator for HTTP. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { program } from './requirement.js';

const run = promisify(execFile);

export const wrkRequirement = program('wrk', 'wrk');

/** What wrk found. */
export interface WrkResult {
  readonly requests: number;
  readonly seconds: number;
}

/** Asks for `url` over that many connections, for whole seconds. Throws when any answer was not right. */
export async function runWrk(
  url: string,
  { budgetMs, connections, answerBytes }: { budgetMs: number; connections: number; answerBytes: number },
): Promise<WrkResult> {
  const seconds = Math.max(1, Math.round(budgetMs / 1000));
  const words = ['-t1', `-c${connections}`, `-d${seconds}s`, url];
  const { stdout } = await run('wrk', words, { timeout: 30_000 + budgetMs });
  return readWrk(stdout, answerBytes);
}

const units: Readonly<Record<string, number>> = { B: 1, KB: 2 ** 10, MB: 2 ** 20, GB: 2 ** 30, TB: 2 ** 40 };
const timeUnits: Readonly<Record<string, number>> = { us: 1e-6, ms: 1e-3, s: 1, m: 60 };

/** Reads what wrk prints. */
export function readWrk(output: string, answerBytes: number): WrkResult {
  const problem = /Socket errors:.*|Non-2xx or 3xx responses:.*/.exec(output);
  if (problem !== null) throw new Error(`wrk: ${problem[0]}`);
  const match = /(\d+) requests in ([\d.]+)(us|ms|s|m), ([\d.]+)([KMGT]?B) read/.exec(output);
  if (match === null) throw new Error(`wrk printed no result: ${output.slice(0, 500)}`);
  const requests = Number(match[1]);
  const seconds = Number(match[2]) * timeUnits[match[3]!]!;
  const bytes = Number(match[4]) * units[match[5]!]!;
  // wrk rounds to hundredths of a unit; a head is never empty.
  if (requests === 0 || bytes < 0.99 * requests * answerBytes) {
    throw new Error(`wrk read bytes=${bytes} in requests=${requests}, each with at least ${answerBytes} bytes`);
  }
  return { requests, seconds };
}
