/** The actors of heddle's sides of the benchmarks. */
import { type ActorContext, type ActorRef, defineActor } from '../../src/index.js';
import { Arrivals, type Flood } from '../harness/arrivals.js';
import { LatencyRecorder, sharedMicros } from '../harness/latency.js';
import {
  type Answer,
  answerQuestion,
  checkAnswer,
  checkOrder,
  fanInWindow,
  makeOrder,
  type Order,
  type Question,
} from '../workloads.js';

const stopTimeoutMs = 100;
const burstMessages = 256;

interface PingMessages {
  answer(value: number): void;
}
interface PongMessages {
  join(to: ActorRef<PingMessages>): void;
  hit(value: number): void;
}

export const Pong = defineActor(import.meta.url, {
  name: 'pong',
  state: () => ({ to: undefined as ActorRef<PingMessages> | undefined }),
  handlers: {
    join(state, to: ActorRef<PingMessages>) {
      state.to = to;
    },
    hit(state, value: number) {
      state.to!.tell('answer', value + 1);
    },
  },
});

export const Ping = defineActor(import.meta.url, {
  name: 'ping',
  isReentrant: true,
  state: (args: { pong: ActorRef<PongMessages> }, actor: ActorContext) => {
    args.pong.tell('join', actor.self);
    return { pong: args.pong, sent: 0, remaining: 0, onEnd: () => {}, onError: (_error: Error) => {} };
  },
  handlers: {
    /** Resolves with the messages sent both ways. */
    play(state, exchanges: number) {
      return new Promise<number>((resolve, reject) => {
        state.sent = 0;
        state.remaining = exchanges;
        state.onEnd = () => resolve(2 * exchanges);
        state.onError = reject;
        state.pong.tell('hit', 0);
      });
    },
    answer(state, value: number) {
      if (value !== state.sent + 1)
        state.onError(new Error(`wrong answer: expected ${state.sent + 1}, found ${value}`));
      state.sent = value;
      if (--state.remaining === 0) state.onEnd();
      else state.pong.tell('hit', value);
    },
  },
});

interface SinkMessages {
  order(order: Order): void;
  number(message: { readonly from: number; readonly value: number }): void;
  received(): number;
}

export const Sink = defineActor(import.meta.url, {
  name: 'sink',
  isReentrant: true,
  stopTimeoutMs,
  state: () => ({ arrivals: new Arrivals(), next: [] as number[], received: 0 }),
  handlers: {
    order(state, order: Order) {
      try {
        checkOrder(order, state.arrivals.count);
      } catch (error) {
        state.arrivals.fail(error);
      }
      state.arrivals.add();
    },
    waitFor(state, total: number) {
      return state.arrivals.waitFor(total);
    },
    number(state, { from, value }: { readonly from: number; readonly value: number }) {
      if ((state.next[from] ?? 0) !== value)
        throw new Error(`sender ${from}: expected ${state.next[from]}, found ${value}`);
      state.next[from] = value + 1;
      state.received++;
    },
    received(state) {
      return state.received;
    },
  },
});

export const Flooder = defineActor(import.meta.url, {
  name: 'flooder',
  stopTimeoutMs,
  state: (args: { sink: ActorRef<Pick<SinkMessages, 'order'>> }) => ({ sink: args.sink, sent: 0 }),
  handlers: {
    async flood(state, budgetMs: number): Promise<Flood> {
      const { sink } = state;
      const startMicros = sharedMicros();
      const deadlineMs = performance.now() + budgetMs;
      const before = state.sent;
      do {
        let isWelcome = true;
        for (let i = 0; i < burstMessages && isWelcome; i++) isWelcome = sink.tell('order', makeOrder(state.sent++));
        if (!isWelcome) await sink.ready();
      } while (performance.now() < deadlineMs);
      return { startMicros, count: state.sent - before, total: state.sent };
    },
  },
});

export const Echo = defineActor(import.meta.url, {
  name: 'echo',
  state: () => ({}),
  handlers: { answer: (_state, question: Question) => answerQuestion(question) },
});

export const Asker = defineActor(import.meta.url, {
  name: 'asker',
  stopTimeoutMs,
  state: (args: { echo: ActorRef<{ answer(question: Question): Answer }> }) => ({
    ...args,
    latencies: new LatencyRecorder(),
  }),
  handlers: {
    /** The median of the round trips in µs. */
    async ask({ echo, latencies }, budgetMs: number) {
      latencies.reset();
      const deadlineMs = performance.now() + budgetMs;
      for (let id = 0, startMs = performance.now(); startMs < deadlineMs; id++) {
        const answer = await echo.ask('answer', { id, amount: 2 * id });
        checkAnswer(answer, id);
        const endMs = performance.now();
        latencies.add((endMs - startMs) * 1000);
        startMs = endMs;
      }
      return latencies.percentile(0.5);
    },
  },
});

export const FanInSender = defineActor(import.meta.url, {
  name: 'fan-in-sender',
  stopTimeoutMs,
  state: (args: { sink: ActorRef<SinkMessages>; number: number }) => ({ ...args, sent: 0 }),
  handlers: {
    /** Sends in windows, each of which is taken before the next; returns how many messages. */
    async send(state, budgetMs: number) {
      const { sink, number } = state;
      const deadlineMs = performance.now() + budgetMs;
      const before = state.sent;
      do {
        for (let i = 0; i < fanInWindow; i++) {
          if (!sink.tell('number', { from: number, value: state.sent++ })) await sink.ready();
        }
        await sink.ask('received');
      } while (performance.now() < deadlineMs);
      return state.sent - before;
    },
  },
});

/** Handles one message and stops. */
export const Ephemeral = defineActor(import.meta.url, {
  name: 'ephemeral',
  state: (args: { onHandled: (value: number) => void }) => args,
  handlers: {
    handle(state, value: number, actor) {
      state.onHandled(value);
      void actor.stop();
    },
  },
});
