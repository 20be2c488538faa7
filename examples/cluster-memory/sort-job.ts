import type { Context } from 'heddle';
import { externalSort } from './external-sort.js';
import { PagedMemory } from './paged-memory.js';
import { RemotePager } from './remote-pager.js';

/** What is to be sorted, and with how much memory. */
export interface SortJob {
  readonly uri: string;
  readonly clientId: number;
  readonly pages: number;
  readonly pageBytes: number;
  /** Pages of local memory: for the paged memory, and for the runs that are sorted here. */
  readonly frames: number;
  readonly runPages: number;
}

/** How it went. */
export interface SortReport {
  readonly isOneSided: boolean;
  /** What carried the pages: `shm`, `tcp`, or a transport of UCX. */
  readonly wire: string;
  readonly faults: number;
  readonly evictions: number;
  readonly seconds: number;
  /** Whether the numbers are those, in that order, that a sort in this process's own memory makes of them. */
  readonly isEqual: boolean;
  readonly flushed: number;
}

/** Sorts random numbers in paged memory, compares, and ends when the server wants to end. `onSorted` may ask it to. */
export async function runSort(context: Context, job: SortJob, onSorted: () => void): Promise<SortReport> {
  const { pages, pageBytes, frames, runPages } = job;
  const pager = await RemotePager.open(context, job.uri, { clientId: job.clientId, pageBytes });
  const memory = new PagedMemory(pager, frames);
  const expected = new Float64Array((pages * pageBytes) / 8).map(() => Math.random());
  const bytesOf = (page: number) => new Uint8Array(expected.buffer, page * pageBytes, pageBytes);

  const startedMs = performance.now();
  for (let page = 0; page < pages; page++) await memory.withPage(page, true, (bytes) => bytes.set(bytesOf(page)));
  const sorted = await externalSort(memory, { firstPage: 0, pages }, pages, { runPages, fanIn: 16 });
  const seconds = (performance.now() - startedMs) / 1000;
  const { faults, evictions } = memory.counts;
  const wire = pager.wire?.transports[0] ?? 'no wire';

  expected.sort();
  let isEqual = true;
  for (let page = 0; page < pages; page++) {
    isEqual &&= await memory.withPage(sorted.firstPage + page, false, (bytes) => bytes.equals(bytesOf(page)));
  }
  const flushed = await pager.flush();

  // Nothing of what the server has is needed any more: it may end when it wants to.
  onSorted();
  await pager.shutdown;
  pager.acknowledgeShutdown();
  await pager.close();
  return { isOneSided: pager.isOneSided, wire, faults, evictions, seconds, isEqual, flushed };
}
