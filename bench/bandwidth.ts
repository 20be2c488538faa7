/**
 * Bandwidth and latency over message sizes and threads, as a table or as CSV:
 *
 *   npm run bandwidth -- [--transport shm|tcp] [--threads 1,2] [--sizes 6-22] [--milliseconds 200] [--csv FILE]
 *
 * Sizes are powers of two, in bytes. For each, every client thread writes (sends requests of that many bytes) and reads
 * (asks for responses of that many) to and from a server thread of its own: 16 in flight for the bandwidth, and 1 for the
 * latency.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { type Connection, createNode } from '../src/index.js';
import type bandwidthWorker from './bandwidth-worker.js';
import type { BandwidthCount, BandwidthTask, Direction } from './bandwidth-worker.js';
import { median } from './harness/statistics.js';

const usage =
  'usage: npm run bandwidth -- [--transport shm|tcp] [--threads 1,2] [--sizes 6-22] [--milliseconds 200] [--csv FILE]';
const bandwidthDepth = 16;
const uris: Record<string, (server: number) => string> = {
  shm: (server) => `shm://bandwidth-${server}`,
  tcp: () => 'tcp://127.0.0.1:0',
};

function fail(what: string): never {
  console.error(`${what}\n${usage}`);
  process.exit(2);
}

function readArguments() {
  const text = { type: 'string' } as const;
  const options = { transport: text, threads: text, sizes: text, milliseconds: text, csv: text };
  let values: { [Name in keyof typeof options]?: string };
  try {
    ({ values } = parseArgs({ options }));
  } catch (error) {
    fail((error as Error).message);
  }
  const { transport = 'shm', threads = '1,2', sizes = '6-22', milliseconds = '200', csv } = values;
  if (uris[transport] === undefined) fail(`--transport ${transport} is none of ${Object.keys(uris).join(', ')}`);
  const threadCounts = threads.split(',').map(Number);
  if (!threadCounts.every((count) => Number.isInteger(count) && count >= 1 && count <= 64)) {
    fail(`--threads ${threads} is no list of numbers from 1 to 64`);
  }
  const [, first, last] = /^(\d+)-(\d+)$/.exec(sizes)?.map(Number) ?? [];
  if (first === undefined || last === undefined || first > last || last > 26) {
    fail(`--sizes ${sizes} is no range of exponents from 0 to 26, such as 6-22`);
  }
  const durationMs = Number(milliseconds);
  if (!(durationMs > 0)) fail(`--milliseconds ${milliseconds} is not above 0`);
  return { transport, threadCounts, first, last, durationMs, csv };
}

interface Row {
  readonly transport: string;
  readonly threads: number;
  readonly direction: Direction;
  readonly bytes: number;
  readonly messagesPerSecond: number;
  readonly mebibytesPerSecond: number;
  readonly latencyMicros: number;
}

const columns = [
  'transport',
  'threads',
  'direction',
  'bytes',
  'messages_per_second',
  'mebibytes_per_second',
  'latency_p50_micros',
];

function cells(row: Row): string[] {
  return [
    row.transport,
    String(row.threads),
    row.direction,
    String(row.bytes),
    row.messagesPerSecond.toFixed(0),
    row.mebibytesPerSecond.toFixed(2),
    row.latencyMicros.toFixed(1),
  ];
}

function printRow(texts: readonly string[]): void {
  console.log(texts.map((text, column) => text.padStart(columns[column].length)).join('  '));
}

/** Starts so many pairs of a server and a client; returns the ways to the clients. */
async function startPairs(node: ReturnType<typeof createNode>, transport: string, count: number) {
  const module = new URL('./bandwidth-worker.js', import.meta.url);
  return Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const server = await node.startContext<typeof bandwidthWorker>(module, {
        name: `server-${index}`,
        data: { serve: uris[transport](index) },
      });
      const client = await node.startContext<typeof bandwidthWorker>(module, {
        name: `client-${index}`,
        data: { connect: server.value, control: `shm://bandwidth-control-${index}` },
      });
      return node.context.connect(client.value);
    }),
  );
}

async function measureAll(controls: readonly Connection[], task: BandwidthTask): Promise<BandwidthCount[]> {
  return Promise.all(
    controls.map(async (control) => {
      using response = await control.request(task, { timeoutMs: task.durationMs + 60_000 });
      return response.value as BandwidthCount;
    }),
  );
}

const { transport, threadCounts, first, last, durationMs, csv } = readArguments();
const rows: Row[] = [];
printRow(columns);
for (const threads of threadCounts) {
  const node = createNode();
  try {
    const controls = await startPairs(node, transport, threads);
    for (const direction of ['write', 'read'] as const) {
      for (let exponent = first; exponent <= last; exponent++) {
        const bytes = 2 ** exponent;
        const task = { direction, bytes, depth: 1, durationMs };
        const latencies = await measureAll(controls, task);
        const counts = await measureAll(controls, { ...task, depth: bandwidthDepth });
        const messagesPerSecond = counts.reduce(
          (sum, { messages, elapsedMs }) => sum + (1000 * messages) / elapsedMs,
          0,
        );
        const row = {
          transport,
          threads,
          direction,
          bytes,
          messagesPerSecond,
          mebibytesPerSecond: (messagesPerSecond * bytes) / 2 ** 20,
          latencyMicros: median(latencies.map(({ medianMicros }) => medianMicros)),
        };
        rows.push(row);
        printRow(cells(row));
      }
    }
  } finally {
    await node.close();
  }
}
if (csv !== undefined) {
  writeFileSync(csv, [columns, ...rows.map(cells)].map((line) => `${line.join(',')}\n`).join(''));
  console.error(`Wrote ${rows.length} rows to ${csv}`);
}
