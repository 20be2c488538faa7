import { crc32 } from 'node:zlib';
import { type Connection, HeddleError, type Message } from 'heddle';
import type { Client } from './client-table.js';
import type { EventQueue } from './event-queue.js';
import { headerBytes, inMessage, kinds, MessageSender, type PageMessage, type Status } from './page-message.js';
import { type Page, PageTable } from './page-table.js';
import { StorageOrders, storesAtOnce } from './storage-orders.js';

/** A message of a client that was found to be in order. */
export interface PageRequest {
  readonly message: Message;
  readonly connection: Connection;
  readonly client: Client;
  readonly fields: PageMessage;
}

/** What was done for requests. */
export class PageCounts {
  hits = 0;
  loads = 0;
  /** Asked for, and not here: not answered. */
  unknown = 0;
  /** Pages that found no room. */
  refused = 0;
  corrupt = 0;
  oneSided = 0;
}

/**
 * Stores pages and gives them back: at once what is in the cache; what is on disk when the daemon has brought it. Requests
 * for a page that is being moved wait for that, in their order, and those that need room in the cache until there is some.
 */
export class PageRequests {
  readonly counts: PageCounts;
  readonly pages: PageTable;
  readonly orders: StorageOrders<PageRequest>;
  readonly #cache: Buffer;
  readonly #pageBytes: number;
  readonly #cachePages: number;
  readonly #sender: MessageSender;
  readonly #waitingForPage = new Map<Page, PageRequest[]>();
  readonly #waitingForRoom: PageRequest[] = [];

  constructor(
    cache: Buffer,
    events: EventQueue,
    sizes: { readonly pageBytes: number; readonly cachePages: number; readonly diskPages: number },
    counts: PageCounts,
  ) {
    this.counts = counts;
    this.#cache = cache;
    this.#pageBytes = sizes.pageBytes;
    this.#cachePages = sizes.cachePages;
    this.#sender = new MessageSender(sizes.pageBytes);
    this.pages = new PageTable(sizes.cachePages, sizes.diskPages);
    this.orders = new StorageOrders(events, this.pages, {
      onLoaded: (page, request, isOk) => this.#onLoaded(page, request, isOk),
      onStored: (isOk) => (isOk ? this.lookForRoom() : this.#giveUpRoom()),
    });
  }

  /** Carries out a request to store, give or discard a page: now, or when nothing is under way on the page. */
  carryOut(request: PageRequest): void {
    const { client, fields, message } = request;
    const page = this.pages.find(client.id, fields.page);
    if (page?.isBusy) {
      const waiting = this.#waitingForPage.get(page);
      if (waiting === undefined) this.#waitingForPage.set(page, [request]);
      else waiting.push(request);
      return;
    }
    switch (fields.kind) {
      case kinds.pageOut:
        this.#pageOut(request);
        break;
      case kinds.pageIn:
        this.#pageIn(request, page);
        break;
      case kinds.discard:
        if (page !== undefined) this.pages.drop(page);
        message.release();
        this.lookForRoom();
        break;
      default:
        message.release();
    }
  }

  /** Forgets the pages of a client. */
  forget(client: Client): void {
    this.pages.dropAllOf(client.id);
    this.lookForRoom();
    this.orders.progress();
  }

  /** Something may have made room: for those who wait for it, in their order, as long as there is some. */
  lookForRoom(): void {
    const waiting = this.#waitingForRoom;
    for (let left = waiting.length; left > 0; left--) {
      const first = waiting.shift()!;
      this.carryOut(first);
      if (waiting.at(-1) !== first) continue;
      waiting.unshift(waiting.pop()!);
      return;
    }
  }

  /** The disk did not take a page that was to make room: who waits for room would wait as long as that goes on. */
  #giveUpRoom(): void {
    for (const request of this.#waitingForRoom.splice(0)) this.#reply(request, kinds.pageInReply, 'no-room');
  }

  /** Sends a message of the server's own. */
  send(connection: Connection, fields: PageMessage, hasPage = false): void {
    try {
      this.#sender.send(connection, fields, hasPage);
    } catch (error) {
      // The client has gone, or takes nothing: it will learn of it by that, or by its own deadline.
      if (!(error instanceof HeddleError)) throw error;
    }
  }

  /** Nobody is answered any more. */
  close(): void {
    const waiting = [...this.#waitingForRoom.splice(0), ...this.orders.close()];
    for (const requests of this.#waitingForPage.values()) waiting.push(...requests);
    this.#waitingForPage.clear();
    for (const { message } of waiting) message.release();
  }

  /** An operation on a page is over: the next one that waits for it. */
  #finish(page: Page): void {
    this.pages.free(page);
    const waiting = this.#waitingForPage.get(page) ?? [];
    this.#waitingForPage.delete(page);
    for (const request of waiting) this.carryOut(request);
    this.lookForRoom();
    this.orders.progress();
  }

  #bytesOf(page: Page): Buffer {
    const start = page.cacheSlot * this.#pageBytes;
    return this.#cache.subarray(start, start + this.#pageBytes);
  }

  /** Where in the client's memory the page is, for a one-sided operation; undefined when it is in the message. */
  #arenaOffset({ client, fields }: PageRequest): number | undefined {
    if (fields.arenaSlot === inMessage || client.arena === undefined) return undefined;
    return fields.arenaSlot < client.arenaSlots ? fields.arenaSlot * this.#pageBytes : undefined;
  }

  #reply({ fields, connection, message }: PageRequest, kind: number, status: Status, page?: Page, hasPage = false) {
    this.send(connection, { ...fields, kind, status, checksum: page?.checksum ?? 0 }, hasPage);
    message.release();
  }

  // ---- page-out

  #pageOut(request: PageRequest): void {
    const { client, fields, message } = request;
    const offset = this.#arenaOffset(request);
    if (offset === undefined && message.length !== headerBytes + this.#pageBytes) {
      this.#reply(request, kinds.pageOutReply, 'corrupt');
      return;
    }
    const hasRoom = !this.pages.isFull || this.pages.find(client.id, fields.page) !== undefined;
    const page = this.pages.make(client.id, fields.page);
    if (!hasRoom || !this.pages.reserve(page)) {
      if (page.version === 0) this.pages.drop(page);
      this.counts.refused++;
      this.#reply(request, kinds.pageOutReply, 'no-room');
      this.orders.store(storesAtOnce, true);
      return;
    }
    if (offset === undefined) {
      message.data.copy(this.#bytesOf(page), 0, headerBytes);
      this.#pagedOut(request, page);
      return;
    }
    page.isBusy = true;
    this.counts.oneSided++;
    client.arena!.readInto(this.#bytesOf(page), offset).then(
      () => {
        this.#pagedOut(request, page);
        this.#finish(page);
      },
      () => {
        // Half of it may be there: it is nobody's any more.
        this.pages.drop(page);
        this.#reply(request, kinds.pageOutReply, 'lost');
        this.#finish(page);
      },
    );
  }

  #pagedOut(request: PageRequest, page: Page): void {
    const isWhole = crc32(this.#bytesOf(page)) === request.fields.checksum;
    if (isWhole) this.pages.written(page, request.fields.checksum);
    else {
      this.counts.corrupt++;
      this.pages.drop(page);
    }
    this.#reply(request, kinds.pageOutReply, isWhole ? 'ok' : 'corrupt');
    // Ahead of need: what is on disk as well can make room at once.
    if (this.pages.dirty * 4 > this.#cachePages * 3) this.orders.store(2, false);
  }

  // ---- page-in

  #pageIn(request: PageRequest, page: Page | undefined): void {
    if (page === undefined) {
      this.counts.unknown++;
      request.message.release();
    } else if (page.cacheSlot >= 0) {
      this.counts.hits++;
      this.#give(request, page);
    } else if (this.pages.reserve(page)) {
      this.counts.loads++;
      this.orders.load(page, request);
    } else {
      this.#waitingForRoom.push(request);
      this.orders.store(storesAtOnce, true);
    }
  }

  #onLoaded(page: Page, request: PageRequest, isOk: boolean): void {
    this.pages.free(page);
    if (page.isDropped) this.#reply(request, kinds.pageInReply, 'lost');
    else if (isOk) {
      this.pages.loaded(page);
      this.#give(request, page);
    } else {
      this.counts.corrupt++;
      this.pages.drop(page);
      this.#reply(request, kinds.pageInReply, 'lost');
    }
    if (!page.isBusy) this.#finish(page);
  }

  /** Answers with a page that is in the cache. */
  #give(request: PageRequest, page: Page): void {
    this.pages.used(page);
    const offset = this.#arenaOffset(request);
    if (offset === undefined) {
      this.#bytesOf(page).copy(this.#sender.page);
      this.#reply(request, kinds.pageInReply, 'ok', page, true);
      return;
    }
    page.isBusy = true;
    this.counts.oneSided++;
    const end = (status: Status) => {
      this.#reply(request, kinds.pageInReply, status, page);
      this.#finish(page);
    };
    request.client.arena!.write(offset, this.#bytesOf(page)).then(
      () => end('ok'),
      () => end('lost'),
    );
  }
}
