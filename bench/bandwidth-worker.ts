import type { Connection, Context, ContextMain } from '../src/index.js';
import { percentile } from './harness/statistics.js';

/** `write`: the client sends the bytes; `read`: it asks for them. */
export type Direction = 'write' | 'read';

/** One measurement of one client. */
export interface BandwidthTask {
  readonly direction: Direction;
  readonly bytes: number;
  /** Requests in flight. */
  readonly depth: number;
  readonly durationMs: number;
}

export interface BandwidthCount {
  readonly messages: number;
  readonly elapsedMs: number;
  /** Median time of a request, in microseconds. */
  readonly medianMicros: number;
}

/** What such a thread is started with: where to serve, or whom to ask. */
export type BandwidthRole = { readonly serve: string } | { readonly connect: string; readonly control: string };

const noBytes = new Uint8Array(0);

async function serve(context: Context, uri: string): Promise<string> {
  const server = await context.listen(uri, {
    onRequest: (message) => {
      // A request with a header asks for as many bytes as that says; another brings bytes, and is answered without any.
      return message.header.length === 0 ? noBytes : context.allocate(message.header.readUInt32LE(0));
    },
  });
  return server.uri;
}

async function measure(context: Context, connection: Connection, task: BandwidthTask): Promise<BandwidthCount> {
  const { direction, bytes, depth, durationMs } = task;
  const header = Buffer.alloc(4);
  header.writeUInt32LE(bytes);
  const latencies: number[] = [];
  const startedMs = performance.now();
  const endMs = startedMs + durationMs;
  const lane = async () => {
    let nowMs = performance.now();
    // One at least: a busy machine may keep the thread from its core for all of the time.
    do {
      if (direction === 'write') {
        using _ = await connection.request(context.allocate(bytes));
      } else {
        using response = await connection.request(noBytes, { header });
        if (response.length !== bytes) throw new Error(`asked for ${bytes} bytes, and got ${response.length}`);
      }
      const doneMs = performance.now();
      latencies.push(doneMs - nowMs);
      nowMs = doneMs;
    } while (nowMs < endMs);
  };
  await Promise.all(Array.from({ length: depth }, lane));
  const elapsedMs = performance.now() - startedMs;
  return { messages: latencies.length, elapsedMs, medianMicros: percentile(latencies, 0.5) * 1000 };
}

/** A server at a URI, or a client of one that measures when it is told to. Returns where it listens. */
export default (async (context, role) => {
  if ('serve' in role) return serve(context, role.serve);
  const connection = await context.connect(role.connect);
  const control = await context.listen(role.control, {
    onRequest: (message) => measure(context, connection, message.value as BandwidthTask),
  });
  return control.uri;
}) satisfies ContextMain<BandwidthRole, string>;
