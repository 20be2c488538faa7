/** Pages that are stored and fetched one after another, at random: the work of the benchmarks of cluster memory. */
import { LatencyRecorder } from './latency.js';

export const pageBytes = 4096;
/** 16 MiB of pages: the memory of each server holds them all. */
export const pages = 4096;

/** What is measured: the time of one page, in or out, in microseconds. */
export interface PagingOptions {
  readonly result: 'in-p50' | 'in-p99' | 'out-p50';
}

/** Somewhere that pages can be. */
export interface PageStore {
  pageOut(page: number, bytes: Buffer): Promise<unknown>;
  /** Fills `target` with the page. */
  pageIn(page: number, target: Buffer): Promise<unknown>;
}

function stampPage(bytes: Buffer, page: number, version: number): void {
  bytes.writeUInt32LE(page, 0);
  bytes.writeUInt32LE(version, 4);
  bytes.writeUInt32LE(page ^ version, pageBytes - 4);
}

function checkPage(bytes: Buffer, page: number, version: number): void {
  const isRight =
    bytes.readUInt32LE(0) === page &&
    bytes.readUInt32LE(4) === version &&
    bytes.readUInt32LE(pageBytes - 4) === (page ^ version) >>> 0;
  if (!isRight) throw new Error(`page ${page} is not what was stored`);
}

/** Stores and fetches pages, and knows what each must be. */
export class PagingLoad {
  readonly #store: PageStore;
  readonly #versions = new Uint32Array(pages);
  readonly #bytes = Buffer.alloc(pageBytes, 0x5a);
  readonly #target = Buffer.alloc(pageBytes);
  readonly #latencies = new LatencyRecorder();

  constructor(store: PageStore) {
    this.#store = store;
  }

  async #out(page: number): Promise<void> {
    const version = ++this.#versions[page]!;
    stampPage(this.#bytes, page, version);
    const stored = await this.#store.pageOut(page, this.#bytes);
    if (stored === false) throw new Error('the server has no room');
  }

  /** Stores all pages once. */
  async fill(): Promise<void> {
    for (let page = 0; page < pages; page++) await this.#out(page);
  }

  async run(budgetMs: number, { result }: PagingOptions): Promise<number> {
    const latencies = this.#latencies;
    latencies.reset();
    const deadlineMs = performance.now() + budgetMs;
    for (let nowMs = performance.now(); nowMs < deadlineMs || latencies.count < 10; ) {
      const page = Math.floor(Math.random() * pages);
      const startedMs = performance.now();
      if (result === 'out-p50') await this.#out(page);
      else await this.#store.pageIn(page, this.#target);
      nowMs = performance.now();
      latencies.add((nowMs - startedMs) * 1000);
      if (result !== 'out-p50') checkPage(this.#target, page, this.#versions[page]!);
    }
    return latencies.percentile(result === 'in-p99' ? 0.99 : 0.5);
  }
}
