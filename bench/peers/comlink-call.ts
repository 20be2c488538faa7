/** A call from one worker to an object that comlink exposes in another: the p50 in microseconds. */
import type { MessagePort } from 'node:worker_threads';
import { requirePeer } from '../harness/requirement.js';
import type { Roles } from '../harness/role.js';
import { AwaitedRoundTrips } from '../harness/round-trips.js';
import { askingSide, threadPair } from '../harness/two-roles.js';
import { type Answer, answerQuestion, checkAnswer, type Question } from '../workloads.js';

interface Comlink {
  expose(api: object, endpoint: unknown): void;
  wrap<Api>(endpoint: unknown): Api;
}
type NodeEndpoint = (port: MessagePort) => unknown;

function loadComlink(): { comlink: Comlink; nodeEndpoint: NodeEndpoint } {
  return {
    comlink: requirePeer('comlink') as Comlink,
    nodeEndpoint: requirePeer('comlink/dist/umd/node-adapter.js') as NodeEndpoint,
  };
}

function createServer() {
  return {
    connect: ({ port }: { port: MessagePort }) => {
      const { comlink, nodeEndpoint } = loadComlink();
      comlink.expose({ ask: answerQuestion }, nodeEndpoint(port));
    },
  };
}

function createClient() {
  let api: { ask(question: Question): Promise<Answer> };
  const trips = new AwaitedRoundTrips<Answer>((id) => api.ask({ id, amount: 2 * id }), checkAnswer);
  return {
    connect: ({ port }: { port: MessagePort }) => {
      const { comlink, nodeEndpoint } = loadComlink();
      api = comlink.wrap(nodeEndpoint(port));
    },
    run: (budgetMs: number) => trips.run(budgetMs),
  };
}

export const roles: Roles = {
  side: () => askingSide(import.meta.url, threadPair),
  client: createClient,
  server: createServer,
};
