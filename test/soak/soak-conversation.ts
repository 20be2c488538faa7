import {
  type Connection,
  type Context,
  type HeddleError,
  type Message,
  type Payload,
  type SendOptions,
  SharedBuffer,
} from '../../src/index.js';
import type { Random } from '../sim/random.js';
import { type Head, makePayload, readMessage, Task } from './soak-message.js';
import { maximumDepth, maximumMessages, maximumPayloadBytes, type SoakCounts } from './soak-plan.js';

/** One direction each way of a connection, as one side sees it: posts received and sent. */
export interface Stream {
  received: number;
  sent: number;
}

/** Messages arrive once each, in the order of sending: the next position is always the number of those before. */
export function checkPosition(stream: Stream, head: Head): void {
  if (head.position !== stream.received) {
    throw new Error(`a message at position=${head.position} came when position=${stream.received} was next`);
  }
  stream.received++;
}

/** Errors that the end of a connection explains. */
const endCodes: ReadonlySet<string> = new Set(['ERR_HEDDLE_FLUSHED', 'ERR_HEDDLE_CLOSED', 'ERR_HEDDLE_DISCONNECTED']);

/** The life of one connection, on the client's side: from connecting to a close or a destroy. */
export class Conversation {
  readonly #context: Context;
  readonly #random: Random;
  readonly #counts: SoakCounts;
  readonly #problem: (what: string) => void;
  readonly #stream: Stream = { received: 0, sent: 0 };
  #connection!: Connection;
  #inFlight = 0;
  #isEnding = false;
  #wakeUp: () => void = () => {};

  constructor(context: Context, random: Random, counts: SoakCounts, problem: (what: string) => void) {
    this.#context = context;
    this.#random = random;
    this.#counts = counts;
    this.#problem = problem;
  }

  async run(uri: string, endMs: number): Promise<void> {
    const random = this.#random;
    try {
      this.#connection = await this.#context.connect(uri, {
        onMessage: (message) => this.#onMessage(message),
        onEvent: (event) => {
          if (event.type === 'connection-error') this.#problem(`the client's end failed: ${event.error.message}`);
        },
      });
    } catch (error) {
      this.#problem(`connecting to ${uri}: ${String(error)}`);
      return;
    }
    this.#counts.connections++;
    const limit = random.pick([random.integer(1, 100), random.integer(1, 3000), random.integer(1, maximumMessages)]);
    const depth = random.integer(1, maximumDepth - 1);
    const graceful = random.chance(0.6);
    try {
      while (this.#stream.sent < limit && performance.now() < endMs) await this.#sendBatch(depth, limit);
      if (graceful) await this.#closeInOrder();
    } catch (error) {
      if (!endCodes.has((error as HeddleError).code)) this.#problem(`sending: ${(error as Error).stack}`);
    }
    await this.#end(graceful);
  }

  async #sendBatch(depth: number, limit: number): Promise<void> {
    const random = this.#random;
    const size = Math.min(random.pick([1, 1, 8, 64]), depth, limit - this.#stream.sent);
    for (let left = size; left > 0; left--) {
      if (this.#inFlight >= depth) await this.#oneLess();
      if (this.#connection.queuedMessages >= depth) await this.#connection.ready();
      this.#sendOne(left > 1);
    }
    // Others on this thread have their turn.
    await new Promise((resolve) => setImmediate(resolve));
  }

  #oneLess(): Promise<void> {
    return new Promise((resolve) => {
      this.#wakeUp = resolve;
    });
  }

  #settled(): void {
    this.#inFlight--;
    this.#wakeUp();
  }

  #size(): number {
    const random = this.#random;
    if (random.chance(0.01)) return random.integer(0, maximumPayloadBytes - 100);
    return random.chance(0.1) ? random.integer(0, 20_000) : random.integer(0, 300);
  }

  #sendOne(more: boolean): void {
    const random = this.#random;
    const counts = this.#counts;
    const sizeBytes = this.#size();
    const position = this.#stream.sent;
    const kind = random.integer(0, 9);
    const tasks = kind < 5 ? [Task.echo, Task.echo, Task.echoLater, Task.fail] : [Task.nothing, Task.sendBack];
    const task = random.pick(tasks);
    const { payload } = makePayload(this.#context, random, task, position, sizeBytes);
    const options: SendOptions = { more };
    try {
      if (kind < 5) this.#request(payload, task, position, options);
      else if (kind < 9) {
        this.#connection.send(payload, options);
        counts.oneWays++;
      } else {
        this.#deliver(payload, options);
      }
    } catch (error) {
      if (payload instanceof SharedBuffer && payload.isHeld) payload.release();
      throw error;
    }
    this.#stream.sent++;
    counts.messages++;
    counts.bytes += sizeBytes;
    if (sizeBytes > 16_384) counts.large++;
  }

  #request(payload: unknown, task: number, position: number, options: SendOptions): void {
    this.#inFlight++;
    this.#counts.requests++;
    this.#connection.request(payload, options).then(
      (response) => {
        this.#checkAnswer(response, task, position);
        response.release();
        this.#settled();
      },
      (error: HeddleError) => {
        const asAsked = task === Task.fail && error.code === 'ERR_HEDDLE_REMOTE';
        if (!asAsked && !this.#isExpected(error)) this.#problem(`request ${position}: ${error.stack}`);
        if (payload instanceof SharedBuffer && payload.isHeld) payload.release();
        this.#settled();
      },
    );
  }

  #checkAnswer(response: Message, task: number, position: number): void {
    try {
      const head = readMessage(response);
      if (head.position !== position) this.#problem(`request ${position} had the answer to ${head.position}`);
      if (task === Task.fail) this.#problem(`request ${position} was to fail`);
    } catch (error) {
      this.#problem(`the answer to request ${position}: ${String(error)}`);
    }
  }

  #deliver(payload: unknown, options: SendOptions): void {
    this.#inFlight++;
    this.#counts.receipts++;
    this.#connection.deliver(payload, options).then(
      (receipt) => {
        if (!receipt.accepted) this.#problem('a receipt says that the message was refused');
        this.#settled();
      },
      (error: HeddleError) => {
        if (!this.#isExpected(error)) this.#problem(`deliver: ${error.stack}`);
        if (payload instanceof SharedBuffer && payload.isHeld) payload.release();
        this.#settled();
      },
    );
  }

  /** Whether the end of the connection explains the error. */
  #isExpected(error: HeddleError): boolean {
    return endCodes.has(error.code) && (this.#isEnding || this.#connection.state !== 'online');
  }

  #onMessage(message: Message): void {
    try {
      checkPosition(this.#stream, readMessage(message));
      this.#wakeUp();
    } catch (error) {
      this.#problem(`at the client: ${String(error)}`);
    }
  }

  /** Waits for what is under way, and compares what both sides have counted. */
  async #closeInOrder(): Promise<void> {
    while (this.#inFlight > 0) await this.#oneLess();
    const { payload } = makePayload(this.#context, this.#random, Task.count, this.#stream.sent++, 10);
    const { received, sent } = await this.#requestCounts(payload);
    if (received !== this.#stream.sent)
      this.#problem(`the service received ${received} of ${this.#stream.sent} messages`);
    // Answers may pass what the service sent by itself.
    while (this.#stream.received < sent && this.#connection.isOnline) await this.#oneLess();
    if (this.#stream.received !== sent)
      this.#problem(`${this.#stream.received} of the service's ${sent} messages came`);
  }

  async #requestCounts(payload: Payload): Promise<Stream> {
    try {
      using response = await this.#connection.request(payload);
      return response.value as Stream;
    } catch (error) {
      // The service may end the connection meanwhile: what was not sent is still the sender's.
      if (payload instanceof SharedBuffer && payload.isHeld) payload.release();
      throw error;
    }
  }

  async #end(graceful: boolean): Promise<void> {
    const connection = this.#connection;
    if (connection.state !== 'online') this.#counts.endedByPeer++;
    else if (graceful) this.#counts.closed++;
    else this.#counts.destroyed++;
    this.#isEnding = true;
    if (graceful) await connection.close();
    else connection.destroy();
    await connection.ended;
    await connection.session.ended;
    // Every promise settles with the end of the connection.
    await new Promise((resolve) => setImmediate(resolve));
    if (this.#inFlight > 0) this.#problem(`${this.#inFlight} promises did not settle with the end of the connection`);
  }
}
