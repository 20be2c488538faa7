import type { Connection } from 'heddle';

/*
 * What clients and the memory server say to each other, as one-way messages. All numbers are 32-bit little-endian but the
 * first two; the bytes of a page follow where it is not moved by a one-sided operation.
 *
 *   0      1        4            8          12              16              20     24         28
 *  +------+--------+------------+----------+---------------+---------------+------+----------+-----------+
 *  | kind | status | request id | client id| client session| server session| page | checksum | arena slot|
 *  +------+--------+------------+----------+---------------+---------------+------+----------+-----------+
 */

/** Bytes before those of the page. */
export const headerBytes = 32;

/** What a message is. */
export const kinds = {
  /** Store this page. */
  pageOut: 1,
  pageOutReply: 2,
  /** Give me this page. */
  pageIn: 3,
  pageInReply: 4,
  /** This page is not needed any more. */
  discard: 5,
  /** The server wants to end: take your pages back, then acknowledge. */
  shuttingDown: 6,
  shutdownAcknowledged: 7,
  /** Your session, or the one of the server that you mean, is of an earlier life. */
  fenced: 8,
} as const;

/** How a request ended. */
export const statuses = ['ok', 'no-room', 'corrupt', 'lost'] as const;
/** See {@link statuses}. */
export type Status = (typeof statuses)[number];

/** The arena slot of a page whose bytes follow in the message. */
export const inMessage = 0xffff_ffff;

/** The fields of a message. */
export interface PageMessage {
  readonly kind: number;
  readonly status: Status;
  readonly requestId: number;
  readonly clientId: number;
  readonly clientSession: number;
  readonly serverSession: number;
  readonly page: number;
  readonly checksum: number;
  /** Where in the client's arena the page is, or is to go. */
  readonly arenaSlot: number;
}

/** Writes the fields to the start of `target`. The inverse of {@link readMessage}. */
export function writeMessage(target: Buffer, message: PageMessage): void {
  target.writeUInt16LE(message.kind | (statuses.indexOf(message.status) << 8), 0);
  target.writeUInt16LE(0, 2);
  target.writeUInt32LE(message.requestId, 4);
  target.writeUInt32LE(message.clientId, 8);
  target.writeUInt32LE(message.clientSession, 12);
  target.writeUInt32LE(message.serverSession, 16);
  target.writeUInt32LE(message.page, 20);
  target.writeUInt32LE(message.checksum, 24);
  target.writeUInt32LE(message.arenaSlot, 28);
}

/** Reads the fields of what came from outside; undefined when that is no message of this kind. */
export function readMessage(data: Buffer, pageBytes: number): PageMessage | undefined {
  if (data.length !== headerBytes && data.length !== headerBytes + pageBytes) return undefined;
  const kind = data[0]!;
  const status = statuses[data[1]!];
  if (kind < kinds.pageOut || kind > kinds.fenced || status === undefined) return undefined;
  return {
    kind,
    status,
    requestId: data.readUInt32LE(4),
    clientId: data.readUInt32LE(8),
    clientSession: data.readUInt32LE(12),
    serverSession: data.readUInt32LE(16),
    page: data.readUInt32LE(20),
    checksum: data.readUInt32LE(24),
    arenaSlot: data.readUInt32LE(28),
  };
}

/** Sends messages, each out of the same memory, with a page behind it or without. */
export class MessageSender {
  /** The page that goes with the next message that has one. */
  readonly page: Buffer;
  readonly #whole: Buffer;
  readonly #header: Buffer;

  constructor(pageBytes: number) {
    this.#whole = Buffer.alloc(headerBytes + pageBytes);
    this.#header = this.#whole.subarray(0, headerBytes);
    this.page = this.#whole.subarray(headerBytes);
  }

  /** Throws what `connection.send` throws. */
  send(connection: Connection, message: PageMessage, hasPage = false): void {
    writeMessage(this.#header, message);
    connection.send(hasPage ? this.#whole : this.#header);
  }
}
