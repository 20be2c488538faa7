import { recordHeaderBytes } from '../../transports/record.js';

/**
 * How the runtime's own records are laid out, in a ring as on a wire.
 *
 * ```
 *   byte 0              4     5       6         8               12
 *   +-------------------+-----+-------+---------+---------------+---------------+
 *   | length            |kind | flags | header  | connection id | serial number |
 *   |                   |     |       | length  | at the reader |               |
 *   +-------------------+-----+-------+---------+---------------+---------------+
 *   | reference         | sent at, µs           |  credit extension, 24 bytes,
 *   |                   | (0: not measured)     |  only with the flag `credits`
 *   +-------------------+-----------------------+------------------------- - -
 *   | header bytes, padded to 8 | data bytes
 *   +---------------------------+------------------------------------------ - -
 * ```
 *
 * - *serial number*: position of the record in its connection and direction; only of sequenced kinds. In a fragment it is
 *   that of the message whose data it is.
 * - *reference*: what the record is about: a request's id (request, response, cancel, cancel answer), or the serial
 *   number of a message (receipt). For what else it stands its kind says below.
 * - A one-way message with the flag `more` may have further ones of its batch behind its data. Its *reference* is then the
 *   length of its own data in bytes, and of what follows each has, on 8-byte alignment, its length and its flags
 *   (`encoded` or none) in 32 bits each, then its data. Their serial numbers follow on the first one's.
 * - *credit extension*: cumulative counters of what this side has released: messages and bytes of the posts (requests
 *   and one-way messages), then messages and bytes of the responses, then the serial number that this
 *   side expects next: it has all before that. The last word is 0.
 */
export const messageHeaderBytes = recordHeaderBytes + 16;
/** What the flag `credits` adds behind the fixed part. */
export const creditExtensionBytes = 24;

/** What stands before the data of a message that lies behind another one in its record. */
export const appendedHeaderBytes = 8;

/** Word offsets, from the record's first word. */
export const kindWord = 1;
export const connectionWord = 2;
export const serialWord = 3;
export const referenceWord = 4;
export const sentAtWord = 5;
/** First word of the credit extension, where there is one. */
export const creditWord = 6;

/** Shift of the flags in the kind word. */
export const flagsShift = 8;
/** Shift of the header length in the kind word. */
export const headerLengthShift = 16;

/** What a record is. The values are the protocol. */
export const RecordKind = {
  /** A message that wants no response. */
  oneWay: 16,
  /** A message that wants a response; `reference` is the requester's id for it. */
  request: 17,
  /** The response; `reference` is the requester's id. */
  response: 18,
  /** A receipt for the message with serial number `reference`. */
  receipt: 19,
  /** Asks to cancel the request `reference`. */
  cancel: 20,
  /** What became of the cancel: the header length field holds 0 cancelled, 1 failed, 2 not found. */
  cancelAnswer: 21,
  /** Nothing will follow from this side. */
  fin: 22,
  /** The peer's fin has been seen. */
  finAck: 23,

  /** Carries a credit extension alone. */
  credit: 24,
  /** Keepalive probe and its answer. */
  ping: 25,
  pong: 26,
  /** A piece of a large message's data, following the message that announced it; `reference` is its offset there. */
  fragment: 27,
  /** The sender has a message for which its credits do not suffice: what has been released should be announced. */
  creditsWanted: 28,
  /** About the memory of exported regions: see region-layout.ts. `reference` is the id of an operation. */
  regionRequest: 29,
  regionAnswer: 30,

  /** Client to server, on the lead connection: opens a session. */
  sessionSetup: 32,
  sessionAccept: 33,
  sessionReject: 34,
  sessionRedirect: 35,
  /** Client to server: a further connection of a session, and its answers. */
  connectionHello: 36,
  connectionWelcome: 37,
  connectionRefuse: 38,
  /** Client to server: takes up a connection on a new link, and its answer (or connectionRefuse). */
  resume: 39,
  resumed: 40,
  /**
   * The connection with id `reference` at the sender's does not exist there, or exists no more: the receiver's end of it
   * is over. Belongs to the link, as the sender may not know the receiver's id.
   */
  reset: 41,
} as const;

/** Kinds up to this one are sequenced: they carry serial numbers and are sent again after a reconnect. */
export const lastSequencedKind = RecordKind.finAck;
/** Kinds up to this one belong to a connection; those above are about making one. */
export const lastConnectionKind = RecordKind.regionAnswer;
/** Kinds up to this one take credits. */
export const lastCreditedKind = RecordKind.response;

/** Flag bits of a message. */
export const MessageFlag = {
  /** More messages of the batch follow. */
  more: 1,
  /** On a request or one-way message: a receipt is wanted. On a response: it carries the request's receipt. */
  receipt: 2,
  /** The data was made by the codec; otherwise it is raw bytes. */
  encoded: 4,
  /** The data begins with a table of segment lengths. */
  segmented: 8,
  /** The data is not in the record: a slab descriptor, or a length whose bytes follow in fragments. */
  large: 16,
  /** The response is an error. */
  error: 32,
  /** A credit extension is present. */
  credits: 64,
  /** The receipt says that the receiver refused the message. */
  refused: 128,
} as const;

/** What stands in a record for the data of a large message: length, then by how it goes, then the bits below. */
export const descriptorBytes = 24;
/** In a descriptor's last word: the data is a buffer that the user sent. */
export const descriptorOfUsersBuffer = 1;
/** In a descriptor's last word: the data goes beside the records, under the number in its second word. */
export const descriptorOfTransfer = 2;

/** The longest header of a message: what its length field can say, less what keeps it small against a frame. */
export const maximumHeaderBytes = 4096;

/** The answers to a cancel, by their value on the wire. */
export const cancelAnswers: readonly CancelAnswer[] = ['cancelled', 'failed', 'not-found'];
/** What became of a cancelled request: it was cancelled; it could not be; the peer knows of no such request. */
export type CancelAnswer = 'cancelled' | 'failed' | 'not-found';

/** Where the data of the record whose kind word is `kindAndFlags` begins, from the record's start. */
export function dataOffset(kindAndFlags: number): number {
  const hasCredits = ((kindAndFlags >> flagsShift) & MessageFlag.credits) !== 0;
  const extensionBytes = hasCredits ? creditExtensionBytes : 0;
  return messageHeaderBytes + extensionBytes + paddedHeaderBytes(kindAndFlags >>> headerLengthShift);
}

/** Bytes that a user header of `lengthBytes` takes up, padding included. */
export function paddedHeaderBytes(lengthBytes: number): number {
  return (lengthBytes + 7) & ~7;
}
