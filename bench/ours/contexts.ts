/** What heddle's contexts do in the benchmarks; a side starts them on worker threads and steers them by requests. */
import type { Connection, Context, Message, SharedBuffer } from '../../src/index.js';
import { Arrivals, type Flood } from '../harness/arrivals.js';
import { LatencyRecorder, sharedMicros } from '../harness/latency.js';
import { checkLength, checkPattern, checkPayload, fillPayload, stampPayload } from '../harness/payload.js';
import { oversubscribedBytes, oversubscribedWindow } from '../workloads.js';

/** What a context is told to be. */
export interface ContextRole {
  readonly role: 'sender' | 'receiver' | 'asker' | 'answerer' | 'talker' | 'idler';
  /** Number of the context in its side, for its portals. */
  readonly index: number;
  readonly bytes: number;
  readonly pauseMs: number;
  /** Whether sends carry the more-in-batch hint. */
  readonly moreInBatch: boolean;
  /** Where a receiver or answerer listens. */
  readonly uri: string;
}

/** A command to a context: the name of what to do and one argument. */
export interface Command {
  readonly name: string;
  // biome-ignore lint/suspicious/noExplicitAny: the side and the role that it names agree on the argument's type
  readonly argument?: any;
}

// biome-ignore lint/suspicious/noExplicitAny: as above
type Commands = Record<string, (argument: any) => unknown>;

/** Messages between two looks at the clock, each a batch of its own. */
const burstMessages = 256;
const more = { more: true };
const alone = { more: false };
/** Where the side reaches a context. */
export const controlUri = (index: number): string => `shm://bench/control/${index}`;
const talkUri = (index: number): string => `shm://bench/talk/${index}`;

const makers: Record<ContextRole['role'], (context: Context, role: ContextRole) => Commands | Promise<Commands>> = {
  sender,
  receiver,
  asker,
  answerer,
  talker,
  idler: () => ({ answer: (question: number) => question + 1 }),
};

export default async function main(context: Context, role: ContextRole): Promise<void> {
  const commands = await makers[role.role](context, role);
  await context.listen(controlUri(role.index), {
    onRequest: (message) => {
      const { name, argument } = message.value as Command;
      const command = commands[name];
      if (command === undefined) throw new Error(`a ${role.role} knows no command ${name}`);
      return command(argument);
    },
    options: { requestTimeoutMs: 90_000 },
  });
}

export function sender(context: Context, { bytes, moreInBatch }: Pick<ContextRole, 'bytes' | 'moreInBatch'>): Commands {
  const payload = new Uint8Array(bytes);
  fillPayload(payload);
  let connection: Connection;
  let sent = 0;

  /** One burst, or what of it goes without waiting. */
  function burst(): void {
    const last = sent + burstMessages - 1;
    while (sent <= last) {
      stampPayload(payload, sent);
      const options = moreInBatch && sent < last ? more : alone;
      sent++;
      if (!connection.send(payload, options)) return;
    }
  }

  return {
    connect: async (uri: string) => {
      connection = await context.connect(uri);
    },
    send: (budgetMs: number): Promise<Flood> =>
      new Promise((resolve, reject) => {
        const startMicros = sharedMicros();
        const deadlineMs = performance.now() + budgetMs;
        const before = sent;
        const pump = (): void => {
          try {
            for (;;) {
              burst();
              if (performance.now() >= deadlineMs) break;
              if (connection.queuedMessages > 0) {
                connection.ready().then(pump, reject);
                return;
              }
            }
            connection.flush();
            resolve({ startMicros, count: sent - before, total: sent });
          } catch (error) {
            reject(error);
          }
        };
        pump();
      }),
  };
}

export async function receiver(
  context: Context,
  { bytes, uri }: Pick<ContextRole, 'bytes' | 'uri'>,
): Promise<Commands & { readonly uri: () => string }> {
  const arrivals = new Arrivals();
  const scramble = 0x5bd1e995;
  const server = await context.listen(uri, {
    onMessage: (message) => {
      const sequence = arrivals.count;
      try {
        checkLength(message.length, bytes);
        // The same look at both ends as checkPayload's, without a view for it.
        if (message.readInt32(0) !== (sequence | 0) || message.readInt32(bytes - 4) !== ((sequence ^ scramble) | 0)) {
          throw new Error(`wrong message: expected sequence=${sequence}, found sequence=${message.readInt32(0)}`);
        }
        if ((sequence & 1023) === 0) checkPattern(message.data, sequence, 0, bytes);
      } catch (error) {
        arrivals.fail(error);
        return;
      }
      arrivals.add();
    },
  });
  return { waitFor: (total: number) => arrivals.waitFor(total), uri: () => server.uri };
}

export function asker(context: Context, { bytes, pauseMs }: Pick<ContextRole, 'bytes' | 'pauseMs'>): Commands {
  const latencies = new LatencyRecorder();
  const payload = new Uint8Array(bytes);
  fillPayload(payload);
  let connection: Connection;
  let sequence = 0;
  let sentAtMs = 0;
  let deadlineMs = 0;
  let onEnd: (error?: unknown) => void = () => {};
  let ask: () => void = () => {};

  const waiter = {
    onResponse(message: Message): void {
      const nowMs = performance.now();
      latencies.add((nowMs - sentAtMs) * 1000);
      try {
        const answer = message.data;
        checkLength(answer.length, bytes);
        checkPayload(answer, sequence);
        if (latencies.count === 1) checkPattern(answer, sequence, 0, bytes);
        if (nowMs >= deadlineMs) onEnd();
        else if (pauseMs > 0) setTimeout(ask, pauseMs);
        else ask();
      } catch (error) {
        onEnd(error);
      }
    },
    onError: (error: unknown) => onEnd(error),
  };

  const askBytes = (): void => {
    stampPayload(payload, ++sequence);
    sentAtMs = performance.now();
    connection.requestWith(payload, waiter);
  };

  /** The buffer that goes back and forth: it comes back as another object, at the same place in memory. */
  let buffer: SharedBuffer | undefined;
  const bufferWaiter = {
    onResponse(message: Message): void {
      buffer = message.takeBuffer();
      const nowMs = performance.now();
      latencies.add((nowMs - sentAtMs) * 1000);
      try {
        if (buffer === undefined) throw new Error('the answer brought no buffer');
        checkLength(buffer.length, bytes);
        checkPayload(buffer.bytes, sequence);
        if (nowMs >= deadlineMs) onEnd();
        else askBuffer();
      } catch (error) {
        onEnd(error);
      }
    },
    onError: (error: unknown) => onEnd(error),
  };

  const askBuffer = (): void => {
    sequence++;
    const sending = buffer as SharedBuffer;
    buffer = undefined;
    stampPayload(sending.bytes, sequence);
    sentAtMs = performance.now();
    connection.requestWith(sending, bufferWaiter);
  };

  function measure(how: () => void, budgetMs: number): Promise<number> {
    ask = how;
    return new Promise((resolve, reject) => {
      latencies.reset();
      deadlineMs = performance.now() + budgetMs;
      onEnd = (error) => (error === undefined ? resolve(latencies.percentile(0.5)) : reject(error));
      ask();
    });
  }

  return {
    connect: async (uri: string) => {
      connection = await context.connect(uri);
    },
    askBytes: (budgetMs: number) => measure(askBytes, budgetMs),
    askBuffer: async (budgetMs: number) => {
      buffer = context.allocate(bytes);
      fillPayload(buffer.bytes);
      try {
        return await measure(askBuffer, budgetMs);
      } finally {
        buffer?.release();
        buffer = undefined;
      }
    },
  };
}

export async function answerer(
  context: Context,
  { uri }: Pick<ContextRole, 'uri'>,
): Promise<Commands & { readonly uri: () => string }> {
  const server = await context.listen(uri, {
    onRequest: (message) => {
      const buffer = message.takeBuffer();
      message.respond(buffer ?? message.data);
    },
  });
  return { uri: () => server.uri };
}

/** One talker's end of a pair. */
class Conversation {
  readonly #payload = new Uint8Array(oversubscribedBytes);
  readonly #connection: Connection;
  readonly #latencies: LatencyRecorder;
  readonly #onAnswered: (nowMs: number, conversation: Conversation) => void;
  readonly #onError: (error: unknown) => void;
  #asked = 0;
  outstanding = 0;

  constructor(
    connection: Connection,
    latencies: LatencyRecorder,
    onAnswered: (nowMs: number, conversation: Conversation) => void,
    onError: (error: unknown) => void,
  ) {
    this.#connection = connection;
    this.#latencies = latencies;
    this.#onAnswered = onAnswered;
    this.#onError = onError;
    fillPayload(this.#payload);
  }

  ask(question: Question): void {
    question.sequence = this.#asked++;
    stampPayload(this.#payload, question.sequence);
    question.sentAtMs = performance.now();
    this.outstanding++;
    this.#connection.requestWith(this.#payload, question, more);
  }

  answered(question: Question, message: Message): void {
    this.outstanding--;
    try {
      checkLength(message.length, oversubscribedBytes);
      checkPayload(message.data, question.sequence);
    } catch (error) {
      this.#onError(error);
      return;
    }
    const nowMs = performance.now();
    this.#latencies.add((nowMs - question.sentAtMs) * 1000);
    this.#onAnswered(nowMs, this);
  }

  failed(error: unknown): void {
    this.#onError(error);
  }
}

/** A question that is under way, used again for the next. */
class Question {
  sequence = 0;
  sentAtMs = 0;
  readonly #conversation: Conversation;

  constructor(conversation: Conversation) {
    this.#conversation = conversation;
  }

  onResponse(message: Message): void {
    this.#conversation.answered(this, message);
    if (this.#conversation.outstanding < oversubscribedWindow && isRunning) this.#conversation.ask(this);
  }

  onError(error: unknown): void {
    this.#conversation.failed(error);
  }
}

let isRunning = false;

async function talker(context: Context, { index }: ContextRole): Promise<Commands> {
  const latencies = new LatencyRecorder();
  let conversations: Conversation[] = [];
  let deadlineMs = 0;
  let onQuiet: () => void = () => {};
  let onError: (error: unknown) => void = () => {};
  await context.listen(talkUri(index), {
    onRequest: (message) => {
      message.respond(message.data, more);
    },
  });

  function onAnswered(nowMs: number): void {
    if (nowMs < deadlineMs) return;
    isRunning = false;
    if (conversations.every((each) => each.outstanding === 0)) onQuiet();
  }

  return {
    connect: async (indexes: number[]) => {
      const connections = await Promise.all(indexes.map((each) => context.connect(talkUri(each))));
      conversations = connections.map(
        (connection) => new Conversation(connection, latencies, onAnswered, (error) => onError(error)),
      );
    },
    run: (budgetMs: number) =>
      new Promise((resolve, reject) => {
        latencies.reset();
        const startMicros = sharedMicros();
        deadlineMs = performance.now() + budgetMs;
        isRunning = true;
        onError = reject;
        onQuiet = () =>
          resolve({
            startMicros,
            endMicros: sharedMicros(),
            roundTrips: latencies.count,
            latencies: latencies.values().slice(),
          });
        for (let i = 0; i < oversubscribedWindow; i++) {
          for (const conversation of conversations) conversation.ask(new Question(conversation));
        }
      }),
  };
}
