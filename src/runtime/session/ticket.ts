import { HeddleError } from '../../errors.js';

/** What a further context needs to know to take part in a session that is established. */
export interface TicketTerms {
  /** Where the session's service answers: after a redirect, the service that accepted. */
  readonly uri: string;
  readonly token: string;
  /** Where connections go, by index modulo their number; empty for the service's own portal. */
  readonly portals: readonly string[];
  /** What the client said at setup, and what the service answered: the same for all connections of the session. Base64. */
  readonly privateData: string;
  readonly peerPrivateData: string;
}

/**
 * What lets another context of this process take part in a session: plain data that can be sent to a worker thread, as
 * the `data` of a context or in any message that is structured-cloned.
 *
 * It can be handed out before the session is established: who joins by it waits until it is.
 */
export interface SessionTicket {
  /** The session's name. */
  readonly sessionId: string;
  /** What the contexts of the session share: whether it is established, its terms, the next connection's number. */
  readonly shared: SharedArrayBuffer;
}

/*
 * The shared part:
 *   word 0: state        word 1: next connection index        word 2: length of the terms
 *   byte 16: the terms, as JSON, written once before the state becomes `settled`
 */
const stateWord = 0;
const indexWord = 1;
const lengthWord = 2;
const termsStart = 16;
const sharedBytes = 64 * 1024;
const pending = 0;
const settled = 1;
const failed = 2;

/** A ticket for a session that is being set up; its lead connection has index 0. */
export function createTicket(sessionId: string): SessionTicket {
  const shared = new SharedArrayBuffer(sharedBytes);
  new Int32Array(shared)[indexWord] = 1;
  return { sessionId, shared };
}

/** The session is established: who waits may join. */
export function settleTicket(ticket: SessionTicket, terms: TicketTerms): void {
  const words = new Int32Array(ticket.shared);
  const text = Buffer.from(JSON.stringify(terms));
  Buffer.from(ticket.shared as unknown as ArrayBuffer).set(text, termsStart);
  words[lengthWord] = text.length;
  // The terms lie there before the state says so, for whichever thread looks.
  Atomics.store(words, stateWord, settled);
}

/** The session will never be established, or is over: who waits or comes later is refused. */
export function failTicket(ticket: SessionTicket): void {
  Atomics.store(new Int32Array(ticket.shared), stateWord, failed);
}

/** Throws `ERR_HEDDLE_INVALID_ARGUMENT` for what is no ticket. */
export function requireTicket(ticket: SessionTicket): void {
  const isTicket =
    typeof ticket?.sessionId === 'string' &&
    ticket.shared instanceof SharedArrayBuffer &&
    ticket.shared.byteLength === sharedBytes;
  if (isTicket) return;
  throw new HeddleError(
    'ERR_HEDDLE_INVALID_ARGUMENT',
    'join takes a ticket, which comes from session.ticket() in another context of this process',
  );
}

/** The terms once the session is established; undefined while it is being set up. */
export function readTicket(ticket: SessionTicket): TicketTerms | undefined {
  const words = new Int32Array(ticket.shared);
  const state = Atomics.load(words, stateWord);
  if (state === pending) return undefined;
  if (state === failed) {
    throw new HeddleError('ERR_HEDDLE_REFUSED', 'the session of this ticket was not established, or is over');
  }
  const bytes = Buffer.from(ticket.shared as unknown as ArrayBuffer, termsStart, words[lengthWord]);
  return JSON.parse(bytes.toString()) as TicketTerms;
}

/** The next connection index of the session: each is given once, over all threads. */
export function takeIndex(ticket: SessionTicket): number {
  return Atomics.add(new Int32Array(ticket.shared), indexWord, 1);
}
