/** UCX's own benchmark, in C: active messages from process to process, each one sent alone. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { promisify } from 'node:util';
import type { Side } from '../harness/benchmark.js';
import { describeMissing, program } from '../harness/requirement.js';
import { loopbackTcp } from '../ours/processes.js';

const run = promisify(execFile);
const needs = [program('ucx_perftest', 'ucx-utils')];
/** Messages of the run by which the length of the real one is found. */
const probeMessages = { rate: 20_000, rtt: 5_000, bandwidth: 200 } as const;

export type PerftestResult = keyof typeof probeMessages;

/**
 * `rate`: messages a second of `ucp_am_bw`. `bandwidth`: bytes a second of the same. `rtt`: the median round trip of
 * `ucp_am_lat` in µs, twice what it prints, which is half a round trip.
 */
export function ucxPerftest(result: PerftestResult, bytes: number): Side {
  const test = result === 'rtt' ? 'ucp_am_lat' : 'ucp_am_bw';
  let perMessageMs = 0;
  const measure = async (messages: number): Promise<number> => {
    const port = await freePort();
    const environment = { ...process.env, ...loopbackTcp };
    const server = spawn('ucx_perftest', ['-p', String(port)], { env: environment, stdio: 'ignore' });
    try {
      const words = ['127.0.0.1', '-p', String(port), '-t', test, '-s', String(bytes), '-n', String(messages), '-f'];
      const { stdout } = await connected(words, environment);
      return parse(stdout, result, bytes);
    } finally {
      await ended(server);
    }
  };
  return {
    name: `ucx_perftest ${test}`,
    isNewEachRun: true,
    unavailable: () => describeMissing(needs),
    setup: async () => {
      const startMs = performance.now();
      await measure(probeMessages[result]);
      perMessageMs = (performance.now() - startMs) / probeMessages[result];
    },
    run: (budgetMs) => measure(Math.max(probeMessages[result], Math.round(budgetMs / perMessageMs))),
    teardown: async () => {},
  };
}

/** Runs the client; its server may need a moment until it listens. */
async function connected(words: readonly string[], env: NodeJS.ProcessEnv): Promise<{ stdout: string }> {
  const deadlineMs = performance.now() + 10_000;
  for (;;) {
    try {
      return await run('ucx_perftest', words, { env, timeout: 60_000 });
    } catch (error) {
      if (performance.now() > deadlineMs) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

/** The last line's numbers: count, median, average and overall time, bandwidth twice, messages a second twice. */
function parse(output: string, result: PerftestResult, bytes: number): number {
  const last = output.trim().split('\n').at(-1) ?? '';
  const numbers = last.match(/[\d.]+/g)?.map(Number) ?? [];
  if (numbers.length < 8) throw new Error(`ucx_perftest printed no result: ${output.slice(-500)}`);
  if (result === 'rtt') return 2 * numbers[1]!;
  const messagesPerSecond = numbers[7]!;
  return result === 'rate' ? messagesPerSecond : messagesPerSecond * bytes;
}

async function ended(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const exit = once(server, 'exit');
  const timer = setTimeout(() => server.kill(), 2_000);
  await exit;
  clearTimeout(timer);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}
