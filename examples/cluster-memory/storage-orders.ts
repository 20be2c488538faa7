import { Refusal } from 'heddle';
import type { EventQueue, StorageEvent } from './event-queue.js';
import type { Page, PageTable } from './page-table.js';

/** Pages that are brought to disk at once when room is needed. */
export const storesAtOnce = 8;

interface Order<Waiter> {
  readonly page: Page;
  /** Who waits for a page that is being loaded. */
  readonly waiter: Waiter | undefined;
}

/** Somebody who waits for pages to be on disk. */
interface Flush {
  /** Those that are not, with their versions of when it began. */
  readonly left: Map<Page, number>;
  hasFailed: boolean;
  wake: () => void;
}

/** What is told of orders that have been carried out. */
export interface OrderListener<Waiter> {
  onLoaded(page: Page, waiter: Waiter, isOk: boolean): void;
  onStored(isOk: boolean): void;
}

/** What the memory server has the storage daemon do: pages on their way between the cache and the disk. */
export class StorageOrders<Waiter> {
  /** Called when there are events. */
  onEvents: () => void = () => {};
  readonly #events: EventQueue;
  readonly #pages: PageTable;
  readonly #listener: OrderListener<Waiter>;
  readonly #underWay = new Map<number, Order<Waiter>>();
  readonly #flushes = new Set<Flush>();
  #nextEventId = 1;
  #isClosed = false;

  constructor(events: EventQueue, pages: PageTable, listener: OrderListener<Waiter>) {
    this.#events = events;
    this.#pages = pages;
    this.#listener = listener;
  }

  /** Has a page brought into its cache slot. */
  load(page: Page, waiter: Waiter): void {
    page.isBusy = true;
    this.#emit('load', page, waiter, true);
  }

  /** Has up to `most` pages brought to disk, so that they can be evicted: `isNeeded` when somebody waits for that. */
  store(most: number, isNeeded: boolean, clientId?: number): number {
    const pages = this.#pages.toStore(most, clientId);
    for (const page of pages) {
      if (!this.#emit('store', page, undefined, isNeeded)) this.#pages.stored(page, false);
    }
    return pages.length;
  }

  #emit(kind: StorageEvent['kind'], page: Page, waiter: Waiter | undefined, isCritical: boolean): boolean {
    const { cacheSlot, diskSlot, checksum } = page;
    const event: StorageEvent = { id: this.#nextEventId++, kind, cacheSlot, diskSlot, checksum };
    if (isCritical) this.#events.put(event);
    else if (!this.#events.offer(event)) return false;
    this.#underWay.set(event.id, { page, waiter });
    this.onEvents();
    return true;
  }

  /** The daemon has done, or could not do, what an event said. */
  complete(event: StorageEvent, isOk: boolean): void {
    const order = this.#underWay.get(event.id);
    if (order === undefined) return;
    this.#underWay.delete(event.id);
    if (event.kind === 'store') {
      this.#pages.stored(order.page, isOk);
      for (const flush of this.#flushes) if (!isOk && flush.left.has(order.page)) flush.hasFailed = true;
      this.#listener.onStored(isOk);
    } else this.#listener.onLoaded(order.page, order.waiter!, isOk);
    this.progress();
  }

  /** Something has changed that a flush may wait for. */
  progress(): void {
    for (const { wake } of this.#flushes) wake();
  }

  /** Resolves to how many pages of a client were not on disk, when they are, as they were when it began or newer. */
  async flush(clientId: number): Promise<number> {
    const left = new Map(this.#pages.dirtyOf(clientId).map((page) => [page, page.version]));
    const { size } = left;
    const flush: Flush = { left, hasFailed: false, wake: () => {} };
    this.#flushes.add(flush);
    try {
      for (;;) {
        for (const [page, version] of left) if (page.isDropped || page.storedVersion >= version) left.delete(page);
        if (left.size === 0) return size;
        if (this.#isClosed) throw new Refusal('the memory server has closed');
        if (flush.hasFailed) throw new Refusal('the disk does not take the pages');
        const progress = new Promise<void>((resolve) => {
          flush.wake = resolve;
        });
        if (!this.#events.isFull) this.store(storesAtOnce, true, clientId);
        await progress;
      }
    } finally {
      this.#flushes.delete(flush);
    }
  }

  /** No order is carried out any more. Returns who waits for one. */
  close(): Waiter[] {
    this.#isClosed = true;
    const waiters = [...this.#underWay.values()].flatMap(({ waiter }) => waiter ?? []);
    this.#underWay.clear();
    this.progress();
    return waiters;
  }
}
