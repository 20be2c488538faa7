/** A page of a client: in a cache slot, in a disk slot, or in both. */
export interface Page {
  readonly clientId: number;
  readonly number: number;
  cacheSlot: number;
  diskSlot: number;
  checksum: number;
  /** Counts what was written to it. */
  version: number;
  /** What is in the cache is not on disk. */
  isDirty: boolean;
  /** The version that the daemon is bringing to disk; -1 when it is not. */
  storing: number;
  /** The version that is on disk; -1 when there is none. */
  storedVersion: number;
  /** An operation is under way on its cache slot: others wait for it. */
  isBusy: boolean;
  /** Its client does not want it any more, or has gone; it goes when nothing is under way on it. */
  isDropped: boolean;
}

const none = -1;

/**
 * Which page is where. Slots of the cache are given out until there are none; then the page that was used longest ago, of those
 * that are on disk as well, makes room. Nothing here waits, or knows of disks.
 */
export class PageTable {
  readonly #pages = new Map<number, Map<number, Page>>();
  readonly #freeCache: number[];
  readonly #freeDisk: number[] = [];
  readonly #diskSlots: number;
  #nextDisk = 0;
  #count = 0;
  /** Pages in the cache, by whether they are on disk as well; used last comes last. */
  readonly #clean = new Set<Page>();
  readonly #dirty = new Set<Page>();
  evictions = 0;

  constructor(cacheSlots: number, diskSlots: number) {
    this.#freeCache = Array.from({ length: cacheSlots }, (_, index) => cacheSlots - 1 - index);
    this.#diskSlots = diskSlots;
  }

  /** Pages in all. */
  get count(): number {
    return this.#count;
  }

  get cached(): number {
    return this.#clean.size + this.#dirty.size;
  }

  get dirty(): number {
    return this.#dirty.size;
  }

  /** Whether there is no room for another page: each must have a place on disk when its turn comes. */
  get isFull(): boolean {
    return this.#count >= this.#diskSlots;
  }

  get freeCacheSlots(): number {
    return this.#freeCache.length;
  }

  /** Pages of a client. */
  countOf(clientId: number): number {
    return this.#pages.get(clientId)?.size ?? 0;
  }

  find(clientId: number, number: number): Page | undefined {
    return this.#pages.get(clientId)?.get(number);
  }

  /** The page, made when there is none. It has no slot then. */
  make(clientId: number, number: number): Page {
    let pages = this.#pages.get(clientId);
    if (pages === undefined) {
      pages = new Map();
      this.#pages.set(clientId, pages);
    }
    let page = pages.get(number);
    if (page === undefined) {
      page = {
        clientId,
        number,
        cacheSlot: none,
        diskSlot: none,
        checksum: 0,
        version: 0,
        isDirty: false,
        storing: none,
        storedVersion: none,
        isBusy: false,
        isDropped: false,
      };
      pages.set(number, page);
      this.#count++;
    }
    return page;
  }

  /** Sees to it that the page has a slot of the cache; false when none can be had now. */
  reserve(page: Page): boolean {
    if (page.cacheSlot !== none) return true;
    let slot = this.#freeCache.pop();
    if (slot === undefined) {
      for (const victim of this.#clean) {
        if (victim.isBusy || victim.storing !== none) continue;
        slot = victim.cacheSlot;
        victim.cacheSlot = none;
        this.#clean.delete(victim);
        this.evictions++;
        break;
      }
    }
    if (slot === undefined) return false;
    page.cacheSlot = slot;
    return true;
  }

  /** The page was written to in the cache. */
  written(page: Page, checksum: number): void {
    page.version++;
    page.checksum = checksum;
    page.isDirty = true;
    this.used(page);
  }

  /** The page came from disk. */
  loaded(page: Page): void {
    page.isDirty = false;
    this.used(page);
  }

  used(page: Page): void {
    this.#clean.delete(page);
    this.#dirty.delete(page);
    (page.isDirty ? this.#dirty : this.#clean).add(page);
  }

  /** The next pages to bring to disk, `most` of them, those used longest ago first; they count as being stored. */
  toStore(most: number, clientId?: number): Page[] {
    const pages: Page[] = [];
    for (const page of this.#dirty) {
      if (pages.length >= most) break;
      if (page.isBusy || page.storing !== none || (clientId !== undefined && page.clientId !== clientId)) continue;
      if (page.diskSlot === none) {
        const slot = this.#freeDisk.pop() ?? (this.#nextDisk < this.#diskSlots ? this.#nextDisk++ : none);
        if (slot === none) break;
        page.diskSlot = slot;
      }
      page.storing = page.version;
      pages.push(page);
    }
    return pages;
  }

  /** The page is on disk, as it was when the storing began; or it could not be stored. */
  stored(page: Page, isOk: boolean): void {
    const isCurrent = page.version === page.storing;
    if (isOk) page.storedVersion = page.storing;
    page.storing = none;
    if (isOk && isCurrent && page.isDirty) {
      page.isDirty = false;
      this.used(page);
    }
    this.#finishDrop(page);
  }

  /** Takes a page out: at once, or when what is under way on it is over. */
  drop(page: Page): void {
    page.isDropped = true;
    const pages = this.#pages.get(page.clientId);
    if (pages?.get(page.number) === page) {
      pages.delete(page.number);
      this.#count--;
    }
    if (pages?.size === 0) this.#pages.delete(page.clientId);
    this.#finishDrop(page);
  }

  /** An operation on the page is over. */
  free(page: Page): void {
    page.isBusy = false;
    this.#finishDrop(page);
  }

  #finishDrop(page: Page): void {
    if (!page.isDropped || page.isBusy || page.storing !== none) return;
    this.#clean.delete(page);
    this.#dirty.delete(page);
    if (page.cacheSlot !== none) this.#freeCache.push(page.cacheSlot);
    if (page.diskSlot !== none) this.#freeDisk.push(page.diskSlot);
    page.cacheSlot = none;
    page.diskSlot = none;
  }

  /** Takes all pages of a client out. */
  dropAllOf(clientId: number): void {
    for (const page of [...(this.#pages.get(clientId)?.values() ?? [])]) this.drop(page);
  }

  /** Pages of a client that are not on disk as they are. */
  dirtyOf(clientId: number): Page[] {
    return [...this.#dirty].filter((page) => page.clientId === clientId);
  }
}
