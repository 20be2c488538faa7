import type { Socket } from 'node:net';
import { type Body, Text } from './bodies.js';
import { statusAnswer } from './heads.js';
import { RequestContext } from './request-context.js';
import { incomplete, type RequestParser, refused } from './request-parser.js';

/** What the connections of a server have in common. */
export interface ConnectionHost {
  readonly parser: RequestParser;
  readonly timeouts: {
    /** For the rest of a request whose first bytes have come. */
    readonly headMs: number;
    /** Between two requests. */
    readonly idleMs: number;
    /** For a client to take a chunk. */
    readonly stallMs: number;
  };
  /** Answers the request that the parser has just read: calls `send` now, or `wait` and `send` later. */
  answer(connection: WebConnection): void;
  onPartialRequest(): void;
  onClosed(connection: WebConnection): void;
}

/** Bytes of requests that may wait for the answer before them; past it the socket is not read. */
const maximumWaitingBytes = 16 * 1024;
/** Pieces that one connection may send before the others have their turn. */
const piecesPerTurn = 8;

/**
 * One client. Requests are read and answered where their bytes arrive, in the socket's data handler, one after the other.
 * Of an answer one piece at a time is in the socket's queue: the next is sent from the completion of the last.
 */
export class WebConnection {
  /** Goes up with each answer: what was waited for may come too late. */
  #ticket = 0;
  readonly #socket: Socket;
  readonly #host: ConnectionHost;
  #context: RequestContext | undefined;
  #body: Body | undefined;
  #isWaiting = false;
  #isYielding = false;
  /** The socket has not passed the last piece on: its completion sends the next one. */
  #isHeldUp = false;
  /** {@link #serve} runs: what leaves at once is followed up there. */
  #isServing = false;
  #isLast = false;
  #hasEnded = false;
  #isClosed = false;
  /** Pieces of whose sending the socket has not told the end. */
  #unfinished = 0;
  #pieces = 0;
  #lastProgressMs: number;

  constructor(socket: Socket, host: ConnectionHost) {
    this.#socket = socket;
    this.#host = host;
    this.#lastProgressMs = performance.now();
    socket.setNoDelay(true);
    socket.on('data', (bytes) => this.#onData(bytes));
    socket.on('end', () => this.#onEnd());
    // Whatever it is, the socket closes after it.
    socket.on('error', () => {});
    socket.on('close', () => this.#onClose());
  }

  /** Whether an answer is under way or waited for. */
  get isBusy(): boolean {
    return this.#body !== undefined || this.#isWaiting || this.#isYielding;
  }

  /** The answer comes later: returns the ticket to send it by. */
  wait(): number {
    this.#isWaiting = true;
    return ++this.#ticket;
  }

  /** Whether that answer is still waited for. */
  expects(ticket: number): boolean {
    return this.#isWaiting && this.#ticket === ticket && !this.#isClosed;
  }

  /** Sends an answer; the connection ends after it unless it is to stay. */
  send(body: Body, keepAlive: boolean): void {
    this.#isWaiting = false;
    this.#body = body;
    this.#isLast ||= !keepAlive;
    this.#lastProgressMs = performance.now();
    this.#pump();
  }

  /** Ends a connection that has nothing to do, any other one after the answer that is under way. */
  finish(): void {
    this.#isLast = true;
    if (!this.isBusy) this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** Ends what has taken too long. */
  checkTimeouts(nowMs: number): void {
    const { headMs, idleMs, stallMs } = this.#host.timeouts;
    if (this.#isWaiting) return; // Asks have deadlines of their own.
    if (this.#body !== undefined) {
      if (nowMs - this.#lastProgressMs > stallMs) this.destroy();
    } else if (this.#socket.writableEnded) {
      // What the client still sends was read and dropped: closing at once could take the answer from it.
      if (nowMs - this.#lastProgressMs > headMs) this.destroy();
    } else if (this.#context !== undefined) {
      if (nowMs - this.#context.sinceMs > headMs) this.#refuse(408);
    } else if (nowMs - this.#lastProgressMs > idleMs) this.finish();
  }

  /** Answers with an error, as the last thing on this connection. */
  #refuse(status: number, withBody = true): void {
    const fields: Record<string, string> = status === 405 ? { Allow: 'GET, HEAD' } : {};
    this.send(new Text(statusAnswer(status, { keepAlive: false, isHttp11: true }, fields, withBody)), false);
  }

  /** The fast path: everything up to the last byte of a cached answer happens here. */
  #onData(bytes: Buffer): void {
    if (this.#isLast) return; // Nothing more will be answered.
    this.#pieces = 0;
    if (this.#context === undefined && !this.isBusy) {
      const end = this.#serve(bytes);
      if (end < bytes.length && !this.#isLast) this.#remember(end === 0 ? bytes : bytes.subarray(end));
      return;
    }
    if (this.#context === undefined) this.#remember(bytes);
    else this.#context.append(bytes);
    if (!this.isBusy) this.#serveContext();
    else if (this.#context!.length > maximumWaitingBytes) this.#socket.pause();
  }

  #remember(bytes: Buffer): void {
    this.#context = new RequestContext(bytes, performance.now());
    if (!this.isBusy) this.#host.onPartialRequest();
  }

  /** Answers the requests that have fully arrived, as long as each answer leaves at once. Returns where the rest begins. */
  #serve(bytes: Buffer): number {
    const { parser } = this.#host;
    let start = 0;
    this.#isServing = true;
    while (start < bytes.length && !this.isBusy && !this.#isLast) {
      const end = parser.parse(bytes, start);
      if (end === incomplete) break;
      if (end === refused) {
        start = bytes.length;
        this.#refuse(parser.status, parser.method !== 'HEAD');
      } else {
        start = end;
        this.#host.answer(this);
      }
    }
    this.#isServing = false;
    if (this.#isLast && !this.isBusy) this.#socket.end();
    return start;
  }

  #serveContext(): void {
    const context = this.#context;
    if (context !== undefined) {
      const served = this.#serve(context.bytes);
      if (this.#isLast || served === context.length) this.#context = undefined;
      else if (served > 0) context.consume(served, performance.now());
    }
    if (this.isBusy) return;
    if (this.#isLast || this.#hasEnded) this.#socket.end();
    else if (this.#socket.isPaused()) this.#socket.resume();
  }

  /** Hands the socket piece after piece, as long as it passes them on at once. */
  #pump(): void {
    for (;;) {
      const body = this.#body;
      if (body === undefined) return;
      const piece = body.next();
      if (piece instanceof Promise) {
        this.#awaitPiece(body, piece);
        return;
      }
      if (piece === undefined) {
        this.#onSent(body);
        return;
      }
      if (!this.#write(piece)) return;
    }
  }

  /** False when the rest has to wait: for the client, or for a turn. */
  #write(piece: Buffer): boolean {
    this.#unfinished++;
    this.#socket.write(piece, this.#onWritten);
    if (this.#socket.writableLength > 0) {
      this.#isHeldUp = true;
      return false;
    }
    this.#lastProgressMs = performance.now();
    if (++this.#pieces < piecesPerTurn) return true;
    this.#pieces = 0;
    this.#isYielding = true;
    setImmediate(this.#onTurn);
    return false;
  }

  readonly #onTurn = (): void => {
    this.#isYielding = false;
    if (this.#body !== undefined) this.#pump();
    else if (!this.#isClosed) this.#serveContext();
  };

  /** The completion of a piece. */
  readonly #onWritten = (error?: Error | null): void => {
    this.#unfinished--;
    // After an error the socket closes. Behind a piece that left at once the next one was sent at once.
    if (error || this.#unfinished > 0 || !this.#isHeldUp) return;
    this.#isHeldUp = false;
    this.#lastProgressMs = performance.now();
    this.#pump();
  };

  #awaitPiece(body: Body, promise: Promise<Buffer | undefined>): void {
    promise.then(
      (piece) => {
        if (this.#body !== body) return;
        if (piece === undefined) this.#onSent(body);
        else if (this.#write(piece)) this.#pump();
      },
      // The head has promised a length that cannot be kept.
      () => this.destroy(),
    );
  }

  #onSent(body: Body): void {
    this.#body = undefined;
    body.end();
    if (!this.#isServing) this.#serveContext();
  }

  #onEnd(): void {
    this.#hasEnded = true;
    // What came before the end is answered; half a request never will be whole.
    if (!this.isBusy) this.#socket.end();
  }

  #onClose(): void {
    this.#isClosed = true;
    this.#context = undefined;
    const body = this.#body;
    this.#body = undefined;
    body?.end();
    this.#host.onClosed(this);
  }
}
