import type { Context } from 'heddle';
import { RdmaClient, type RdmaClientOptions } from './client.js';

/** What a load has found. */
export interface LoadResult {
  readonly requests: number;
  readonly failures: number;
  readonly bytes: number;
  readonly seconds: number;
  /** How many of the bodies came by RDMA. */
  readonly byRdma: number;
  readonly medianMs: number;
  readonly p99Ms: number;
}

/** Asks for a URL again and again, over several HTTP connections with an RDMA session each. Like ab. */
export async function load(
  context: Context,
  url: URL,
  { requests, connections, ...options }: RdmaClientOptions & { requests: number; connections: number },
): Promise<LoadResult> {
  const clients = await Promise.all(Array.from({ length: connections }, () => RdmaClient.open(context, options)));
  const timesMs: number[] = [];
  let left = requests;
  let bytes = 0;
  let failures = 0;
  let byRdma = 0;
  const startedMs = performance.now();
  await Promise.all(
    clients.map(async (client) => {
      while (left-- > 0) {
        const beganMs = performance.now();
        try {
          const download = await client.get(url, () => {});
          if (download.status !== 200) failures++;
          if (download.by === 'rdma') byRdma++;
          bytes += download.bytes;
        } catch {
          failures++;
        }
        timesMs.push(performance.now() - beganMs);
      }
    }),
  );
  const seconds = (performance.now() - startedMs) / 1000;
  await Promise.all(clients.map((client) => client.close()));
  timesMs.sort((one, other) => one - other);
  const at = (share: number) => timesMs[Math.min(timesMs.length - 1, Math.floor(share * timesMs.length))] ?? 0;
  return { requests, failures, bytes, seconds, byRdma, medianMs: at(0.5), p99Ms: at(0.99) };
}
