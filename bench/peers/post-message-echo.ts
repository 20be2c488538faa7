/** Round trips between two workers through a MessageChannel: the p50 in microseconds. */
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { LatencyRecorder } from '../harness/latency.js';
import { checkLength, checkPattern, checkPayload, fillPayload, stampPayload } from '../harness/payload.js';
import { type Role, type Roles, startThread } from '../harness/role.js';

export interface PostMessageEchoOptions {
  readonly bytes: number;
  /** Milliseconds between one answer and the next question: both sides fall asleep. 0 for none. */
  readonly pauseMs: number;
}

function createClient({ bytes, pauseMs }: PostMessageEchoOptions) {
  const payload = new Uint8Array(bytes);
  fillPayload(payload);
  const latencies = new LatencyRecorder();
  let port: MessagePort;
  let sequence = 0;
  let sentAtMs = 0;
  let deadlineMs = 0;
  let onEnd: (error?: unknown) => void;

  function ask(): void {
    stampPayload(payload, ++sequence);
    sentAtMs = performance.now();
    port.postMessage(payload);
  }

  function onAnswer(answer: Uint8Array): void {
    const nowMs = performance.now();
    latencies.add((nowMs - sentAtMs) * 1000);
    try {
      checkLength(answer.length, bytes);
      checkPayload(answer, sequence);
      if (latencies.count === 1) checkPattern(answer, sequence, 0, bytes);
    } catch (error) {
      onEnd(error);
      return;
    }
    if (nowMs >= deadlineMs) onEnd();
    else if (pauseMs > 0) setTimeout(ask, pauseMs);
    else ask();
  }

  return {
    connect: (argument: { port: MessagePort }) => {
      port = argument.port;
      port.on('message', onAnswer);
    },
    run: (budgetMs: number): Promise<number> =>
      new Promise((resolve, reject) => {
        latencies.reset();
        deadlineMs = performance.now() + budgetMs;
        onEnd = (error) => (error === undefined ? resolve(latencies.percentile(0.5)) : reject(error));
        ask();
      }),
  };
}

function createServer() {
  return {
    connect: ({ port }: { port: MessagePort }) => {
      port.on('message', (message: Uint8Array) => port.postMessage(message));
    },
  };
}

function createSide(options: PostMessageEchoOptions) {
  let client: Role;
  let server: Role;
  return {
    setup: async () => {
      [client, server] = await Promise.all([
        startThread(import.meta.url, 'client', options),
        startThread(import.meta.url, 'server'),
      ]);
      const { port1, port2 } = new MessageChannel();
      await Promise.all([
        client.call('connect', { port: port1 }, [port1]),
        server.call('connect', { port: port2 }, [port2]),
      ]);
    },
    run: (budgetMs: number) => client.call<number>('run', budgetMs),
    teardown: async () => {
      await Promise.all([client.stop(), server.stop()]);
    },
  };
}

export const roles: Roles = { side: createSide, client: createClient, server: createServer };
