import { setTimeout as delay } from 'node:timers/promises';
import type { RemotePager } from './remote-pager.js';

interface Frame {
  readonly bytes: Buffer;
  page: number;
  pins: number;
  isDirty: boolean;
  /** The page could not be fetched: the frame is of no page any more. */
  hasFailed: boolean;
  /** Settles when the page is in the frame. */
  ready: Promise<void>;
}

/** How long to wait before asking again a server that had no room. */
const retryMs = 1;

/**
 * Memory of many pages of which a few are here: in `frames`, those that were used last; the others are at the memory
 * server. Pages that were never written to are zero.
 */
export class PagedMemory {
  readonly pageBytes: number;
  readonly #pager: RemotePager;
  readonly #free: Frame[];
  /** Frames with pages, used last comes last. */
  readonly #resident = new Map<number, Frame>();
  readonly #atServer = new Set<number>();
  /** Pages on their way out: they are waited for before they are fetched again. */
  readonly #leaving = new Map<number, Promise<void>>();
  readonly #onUnpin: (() => void)[] = [];
  readonly counts = { faults: 0, evictions: 0 };

  constructor(pager: RemotePager, frames: number) {
    this.pageBytes = pager.pageBytes;
    this.#pager = pager;
    this.#free = Array.from({ length: frames }, () => ({
      bytes: Buffer.alloc(pager.pageBytes),
      page: -1,
      pins: 0,
      isDirty: false,
      hasFailed: false,
      ready: Promise.resolve(),
    }));
  }

  /** Pages that are here. */
  get residentPages(): number {
    return this.#resident.size;
  }

  /** Runs `use` on the bytes of a page, which stay here meanwhile. `changes` says whether it writes to them. */
  async withPage<T>(page: number, changes: boolean, use: (bytes: Buffer) => T): Promise<T> {
    const frame = await this.#pin(page);
    try {
      await frame.ready;
      const result = use(frame.bytes);
      if (changes) frame.isDirty = true;
      return result;
    } finally {
      frame.pins--;
      if (frame.hasFailed && frame.pins === 0) this.#free.push(frame);
      this.#onUnpin.shift()?.();
    }
  }

  /** Begins to fetch a page that will be wanted soon. */
  prefetch(page: number): void {
    if (this.#free.length === 0 && this.#idle() === undefined) return;
    // Whoever wants the page meets the error.
    this.withPage(page, false, () => {}).catch(() => {});
  }

  /** Nobody wants a page any more. */
  discard(page: number): void {
    const frame = this.#resident.get(page);
    if (frame !== undefined && frame.pins === 0) {
      this.#resident.delete(page);
      frame.isDirty = false;
      this.#free.push(frame);
    }
    if (this.#atServer.delete(page)) this.#pager.discard(page);
  }

  async #pin(page: number): Promise<Frame> {
    for (;;) {
      const resident = this.#resident.get(page);
      if (resident !== undefined) {
        this.#resident.delete(page);
        this.#resident.set(page, resident);
        resident.pins++;
        return resident;
      }
      const frame = this.#free.pop();
      if (frame !== undefined) {
        frame.page = page;
        frame.pins = 1;
        frame.isDirty = false;
        frame.hasFailed = false;
        this.#resident.set(page, frame);
        frame.ready = this.#fill(frame);
        // Those who wait for it are told, and the last of them lets the frame go.
        frame.ready.catch(() => {
          frame.hasFailed = true;
          this.#resident.delete(page);
        });
        return frame;
      }
      const victim = this.#idle();
      if (victim === undefined) await new Promise<void>((resolve) => this.#onUnpin.push(resolve));
      else await this.#evict(victim);
    }
  }

  #idle(): Frame | undefined {
    for (const frame of this.#resident.values()) if (frame.pins === 0) return frame;
    return undefined;
  }

  async #fill(frame: Frame): Promise<void> {
    await this.#leaving.get(frame.page);
    if (this.#atServer.has(frame.page)) {
      this.counts.faults++;
      await this.#pager.pageIn(frame.page, frame.bytes);
    } else frame.bytes.fill(0);
  }

  async #evict(frame: Frame): Promise<void> {
    const { page } = frame;
    this.#resident.delete(page);
    if (frame.isDirty) {
      this.counts.evictions++;
      const left = this.#pageOut(page, frame.bytes);
      this.#leaving.set(page, left);
      try {
        await left;
        this.#atServer.add(page);
      } catch (error) {
        // It is still here, and nowhere else.
        this.#resident.set(page, frame);
        throw error;
      } finally {
        this.#leaving.delete(page);
      }
    }
    this.#free.push(frame);
    this.#onUnpin.shift()?.();
  }

  async #pageOut(page: number, bytes: Buffer): Promise<void> {
    while (!(await this.#pager.pageOut(page, bytes))) await delay(retryMs);
  }
}
