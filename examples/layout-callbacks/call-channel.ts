import { randomInt } from 'node:crypto';
import { type Clock, type Connection, HeddleError, type Message, systemClock, type Timer } from 'heddle';
import { type CallFrame, decodeFrame, encodeFrame } from './call-frame.js';
import { Callee, type CalleeOptions, type Job } from './callee.js';
import { Caller, type CallerOptions } from './caller.js';

/** What travels in a call. */
interface CallBody {
  readonly procedure: string;
  readonly args: unknown;
}

/** Answers the calls of the other side. What it throws goes there, by its `code` and message. */
export type Procedures = Readonly<Record<string, (args: never) => unknown>>;

/** How a channel behaves. */
export interface ChannelOptions {
  readonly caller: CallerOptions;
  readonly callee: CalleeOptions;
  /** Calls of the other side that the service runs at once. */
  readonly concurrency: number;
}

/** A call that did not end well, with the reply's status, or the code of what the other side threw. */
export class CallError extends Error {
  override readonly name = 'CallError';
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/**
 * Calls in both directions on one connection, each of which runs once: over lost connections, too. The channel belongs to
 * a session of its two users; connections come and go under it.
 */
export class CallChannel {
  readonly sessionId: number;
  readonly #caller: Caller<unknown>;
  readonly #callee: Callee<unknown>;
  readonly #procedures: Procedures;
  readonly #concurrency: number;
  readonly #clock: Clock;
  #connection: Connection | undefined;
  #timer: Timer | undefined;
  #timerDueMs = Infinity;
  #running = 0;
  #isServing = false;
  #onDrained = () => {};

  constructor(sessionId: number, options: ChannelOptions, procedures: Procedures, clock = systemClock) {
    this.sessionId = sessionId;
    this.#clock = clock;
    this.#procedures = procedures;
    this.#concurrency = options.concurrency;
    this.#caller = new Caller(sessionId, options.caller, (frame, body) => this.#send(frame, body), randomInt(2 ** 32));
    this.#callee = new Callee(sessionId, options.callee);
  }

  /** What happened on the channel: for people, and for tests. */
  get counts() {
    const { dropped, run, replays, allocatedHighWater } = this.#callee;
    const { waitedForSlot, retransmissions, unknownReplies, lateReplies } = this.#caller;
    return {
      dropped,
      run,
      replays,
      allocatedHighWater,
      waitedForSlot,
      retransmissions,
      unknownReplies,
      lateReplies,
    };
  }

  /** Whether there is a connection. */
  get isAttached(): boolean {
    return this.#connection !== undefined;
  }

  /** Goes on by this connection: what has no reply is sent again. */
  attach(connection: Connection): void {
    this.#connection = connection;
    this.#caller.resendAll(this.#nowMs());
    this.#setTimer();
  }

  /** The connection is gone: what is called meanwhile is sent by the next one. */
  detach(connection: Connection): void {
    if (this.#connection === connection) this.#connection = undefined;
  }

  /** Calls the other side. Rejects with a {@link CallError}. */
  // biome-ignore lint/suspicious/noExplicitAny: caller and procedure agree on the type of the reply
  call(procedure: string, args: unknown): Promise<any> {
    return new Promise((resolve, reject) => {
      const accepted = this.#caller.call({ procedure, args } satisfies CallBody, this.#nowMs(), ({ status, body }) => {
        if (status === 'ok') resolve(body);
        else if (status === 'failed') {
          const { code, message } = body as { code: string; message: string };
          reject(new CallError(code, message));
        } else reject(new CallError(status, `${procedure}: ${status}`));
      });
      if (!accepted) reject(new CallError('too-many-calls', `${procedure}: too many calls wait for a slot`));
      this.#setTimer();
    });
  }

  /** A message of the connection: a call or a reply. One that is neither ends the connection, and nothing else. */
  receive(message: Message, connection: Connection): void {
    const frame = decodeFrame(message.header);
    if (frame === undefined) {
      connection.destroy(new HeddleError('ERR_HEDDLE_PROTOCOL', 'the peer sent what is neither a call nor a reply'));
    } else if (frame.isReply) {
      this.#caller.receive(frame, () => message.value, this.#nowMs());
      this.#setTimer();
    } else if (this.#callee.receive(frame, () => message.value)) {
      // Reception only queues: the service runs when the handler has returned.
      if (!this.#isServing) queueMicrotask(() => this.#serve());
      this.#isServing = true;
    }
  }

  #serve(): void {
    this.#isServing = false;
    while (this.#running < this.#concurrency) {
      const job = this.#callee.next();
      if (job === undefined) return;
      if (job.reply !== undefined) this.#send(job.reply, job.replyBody);
      else void this.#run(job);
    }
  }

  async #run(job: Job<unknown>): Promise<void> {
    this.#running++;
    let status: 'ok' | 'failed' = 'ok';
    let result: unknown;
    try {
      result = await this.#procedureOf(job.body)();
    } catch (error) {
      status = 'failed';
      const { code = 'internal', message } = error as CallError;
      result = { code, message };
    }
    this.#running--;
    this.#send(this.#callee.finish(job, status, result), result);
    if (this.#callee.isDrained) this.#onDrained();
    this.#serve();
  }

  #procedureOf(body: unknown): () => unknown {
    const { procedure, args } = (body ?? {}) as Partial<CallBody>;
    if (typeof procedure !== 'string' || !Object.hasOwn(this.#procedures, procedure)) {
      throw new CallError('no-such-procedure', `there is no procedure ${String(procedure)}`);
    }
    return () => this.#procedures[procedure]!(args as never);
  }

  #send(frame: CallFrame, body: unknown): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    try {
      connection.send(body, { header: encodeFrame(frame) });
    } catch (error) {
      // A call or a reply that could not be sent is one that was lost on the way: it is sent again, or asked for again.
      if (!(error instanceof HeddleError)) throw error;
    }
  }

  #nowMs(): number {
    return this.#clock.nowMicros() / 1000;
  }

  #setTimer(): void {
    const due = this.#caller.dueMs;
    if (due === undefined) {
      this.#timer?.cancel();
      this.#timer = undefined;
      return;
    }
    if (this.#timer !== undefined && this.#timerDueMs <= due) return;
    this.#timer?.cancel();
    this.#timerDueMs = due;
    this.#timer = this.#clock.setTimer(Math.max(1, Math.ceil(due - this.#nowMs())), () => {
      this.#timer = undefined;
      this.#caller.poll(this.#nowMs());
      this.#setTimer();
    });
  }

  /** Runs no new calls of the other side, which are answered with `delay`; resolves when those that run are done. */
  async drain(): Promise<void> {
    this.#callee.drain('delay');
    if (this.#callee.isDrained) return;
    await new Promise<void>((resolve) => {
      this.#onDrained = resolve;
    });
  }

  /** The session is over: calls that have no reply end as `closed`, and those of the other side as `bad-session`. */
  close(): void {
    this.#callee.drain('reset');
    this.#caller.close();
    this.#setTimer();
  }
}
