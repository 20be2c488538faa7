/** Workers that are connected pair by pair with MessagePorts, each asking all others at once. */
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { LatencyRecorder, sharedMicros } from '../harness/latency.js';
import { checkLength, checkPayload, fillPayload, stampPayload } from '../harness/payload.js';
import { type Role, type Roles, startThread } from '../harness/role.js';
import { percentile } from '../harness/statistics.js';
import { oversubscribedBytes, oversubscribedContexts, oversubscribedWindow } from '../workloads.js';

export interface AllPairsOptions {
  /** Messages a second, or the 99th percentile of the round trip in microseconds. */
  readonly result: 'throughput' | 'p99';
}

interface TalkerResult {
  readonly startMicros: number;
  readonly endMicros: number;
  readonly roundTrips: number;
  readonly latencies: Float64Array;
}

/** Answers are marked in their sequence number, so that one port can carry questions and answers both ways. */
const answerFlag = 0x40000000;

/** One end of a pair. */
class Conversation {
  readonly #port: MessagePort;
  readonly #payload = new Uint8Array(oversubscribedBytes);
  readonly #sentAtMs = new Float64Array(oversubscribedWindow);
  readonly #onAnswer: (sentAtMs: number, conversation: Conversation) => void;
  #asked = 0;
  #answered = 0;
  #served = 0;

  constructor(
    port: MessagePort,
    onAnswer: (sentAtMs: number, conversation: Conversation) => void,
    onError: (error: unknown) => void,
  ) {
    this.#port = port;
    this.#onAnswer = onAnswer;
    fillPayload(this.#payload);
    port.on('message', (message: Uint8Array) => {
      try {
        this.#receive(message);
      } catch (error) {
        onError(error);
      }
    });
  }

  get outstanding(): number {
    return this.#asked - this.#answered;
  }

  ask(): void {
    this.#sentAtMs[this.#asked % oversubscribedWindow] = performance.now();
    stampPayload(this.#payload, this.#asked++);
    this.#port.postMessage(this.#payload);
  }

  #receive(message: Uint8Array): void {
    checkLength(message.length, oversubscribedBytes);
    if (((message[3] as number) & 0x40) === 0) {
      checkPayload(message, this.#served);
      stampPayload(message, this.#served++ | answerFlag);
      this.#port.postMessage(message);
    } else {
      checkPayload(message, this.#answered | answerFlag);
      this.#onAnswer(this.#sentAtMs[this.#answered++ % oversubscribedWindow] as number, this);
    }
  }
}

function createTalker() {
  const latencies = new LatencyRecorder();
  let conversations: Conversation[] = [];
  let deadlineMs = 0;
  let onQuiet: () => void = () => {};
  let onError: (error: unknown) => void = () => {};

  function onAnswer(sentAtMs: number, conversation: Conversation): void {
    const nowMs = performance.now();
    latencies.add((nowMs - sentAtMs) * 1000);
    if (nowMs < deadlineMs) conversation.ask();
    else if (conversations.every((each) => each.outstanding === 0)) onQuiet();
  }

  return {
    connect: ({ ports }: { ports: MessagePort[] }) => {
      conversations = ports.map((port) => new Conversation(port, onAnswer, (error) => onError(error)));
    },
    run: (budgetMs: number): Promise<TalkerResult> =>
      new Promise((resolve, reject) => {
        latencies.reset();
        const startMicros = sharedMicros();
        deadlineMs = performance.now() + budgetMs;
        onError = reject;
        onQuiet = () => {
          const roundTrips = latencies.count;
          resolve({ startMicros, endMicros: sharedMicros(), roundTrips, latencies: latencies.values() });
        };
        for (let i = 0; i < oversubscribedWindow; i++) for (const conversation of conversations) conversation.ask();
      }),
  };
}

function createSide({ result }: AllPairsOptions) {
  let talkers: Role[] = [];
  return {
    setup: async () => {
      talkers = await Promise.all(
        Array.from({ length: oversubscribedContexts }, () => startThread(import.meta.url, 'talker')),
      );
      const ports: MessagePort[][] = talkers.map(() => []);
      for (let i = 0; i < talkers.length; i++) {
        for (let j = 0; j < i; j++) {
          const { port1, port2 } = new MessageChannel();
          ports[i]?.push(port1);
          ports[j]?.push(port2);
        }
      }
      await Promise.all(talkers.map((talker, i) => talker.call('connect', { ports: ports[i] }, ports[i])));
    },
    run: async (budgetMs: number) => {
      const results = await Promise.all(talkers.map((talker) => talker.call<TalkerResult>('run', budgetMs)));
      if (result === 'p99')
        return percentile(
          results.flatMap(({ latencies }) => Array.from(latencies)),
          0.99,
        );
      const startMicros = Math.min(...results.map((each) => each.startMicros));
      const endMicros = Math.max(...results.map((each) => each.endMicros));
      const roundTrips = results.reduce((sum, each) => sum + each.roundTrips, 0);
      return ((2 * roundTrips) / (endMicros - startMicros)) * 1e6;
    },
    teardown: async () => {
      await Promise.all(talkers.map((talker) => talker.stop()));
    },
  };
}

export const roles: Roles = { side: createSide, talker: createTalker };
