/** Round trips between two workers through a MessageChannel: the p50 in microseconds. */
import type { MessagePort } from 'node:worker_threads';
import type { Roles } from '../harness/role.js';
import { EchoedRoundTrips } from '../harness/round-trips.js';
import { askingSide, threadPair } from '../harness/two-roles.js';

export interface PostMessageEchoOptions {
  readonly bytes: number;
  /** Milliseconds between one answer and the next question: both sides fall asleep. 0 for none. */
  readonly pauseMs: number;
}

function createClient({ bytes, pauseMs }: PostMessageEchoOptions) {
  let port: MessagePort;
  const trips = new EchoedRoundTrips(bytes, pauseMs, (payload) => port.postMessage(payload));
  return {
    connect: (argument: { port: MessagePort }) => {
      port = argument.port;
      port.on('message', (answer: Uint8Array) => trips.onAnswer(answer));
    },
    run: (budgetMs: number) => trips.run(budgetMs),
  };
}

function createServer() {
  return {
    connect: ({ port }: { port: MessagePort }) => {
      port.on('message', (message: Uint8Array) => port.postMessage(message));
    },
  };
}

export const roles: Roles = {
  side: (options: PostMessageEchoOptions) => askingSide(import.meta.url, threadPair, options),
  client: createClient,
  server: createServer,
};
