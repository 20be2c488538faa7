import { cpuUsage } from 'node:process';
import { heapAnswer } from './files-module.js';
import type { Answer, Bucket, Module } from './hooks.js';

const maximumLines = 10_000_000;
/** Bytes of a line of `/~lines`, line feed included. */
const lineBytes = 16;
const linesAtOnce = 2048;

/**
 * Pages that are made, not read:
 *
 *   /~status       what the worker that serves this connection has done, and the process's CPU time
 *   /~lines/<n>    n numbered lines, out of one scratch buffer that is filled again and again
 */
export const pagesModule: Module = {
  name: 'pages',

  async handle(request) {
    if (request.method !== 'GET' && request.method !== 'HEAD') return undefined;
    const { context } = request.connection.worker;
    if (request.target === '/~status') {
      const { userCounters, regionsExported } = context.statistics;
      const { buffersHeld } = context.memory;
      const status = { worker: context.name, ...userCounters, regionsExported, buffersHeld, cpuMicros: cpuUsage() };
      return heapAnswer(request, 200, JSON.stringify(status), { 'content-type': 'application/json' });
    }
    const lines = /^\/~lines\/(\d{1,8})$/.exec(request.target)?.[1];
    return lines === undefined || Number(lines) > maximumLines ? undefined : linesAnswer(Number(lines));
  },
};

function linesAnswer(lines: number): Answer {
  const fields = { 'content-type': 'text/plain; charset=utf-8', 'content-length': String(lines * lineBytes) };
  return { status: 200, fields, body: linesBody(lines) };
}

async function* linesBody(lines: number): AsyncGenerator<Bucket> {
  const scratch = Buffer.alloc(linesAtOnce * lineBytes);
  for (let first = 0; first < lines; first += linesAtOnce) {
    const count = Math.min(linesAtOnce, lines - first);
    for (let line = 0; line < count; line++) {
      scratch.write(`${String(first + line).padStart(lineBytes - 1)}\n`, line * lineBytes, 'latin1');
    }
    yield { kind: 'transient', bytes: scratch.subarray(0, count * lineBytes) };
  }
}
