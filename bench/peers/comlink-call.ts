/** A call from one worker to an object that comlink exposes in another: the p50 in microseconds. */
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { LatencyRecorder } from '../harness/latency.js';
import { requirePeer } from '../harness/requirement.js';
import { type Role, type Roles, startThread } from '../harness/role.js';
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
  const latencies = new LatencyRecorder();
  let api: { ask(question: Question): Promise<Answer> };
  let id = 0;
  return {
    connect: ({ port }: { port: MessagePort }) => {
      const { comlink, nodeEndpoint } = loadComlink();
      api = comlink.wrap(nodeEndpoint(port));
    },
    run: async (budgetMs: number) => {
      latencies.reset();
      const deadlineMs = performance.now() + budgetMs;
      do {
        id++;
        const sentAtMs = performance.now();
        const answer = await api.ask({ id, amount: 2 * id });
        latencies.add((performance.now() - sentAtMs) * 1000);
        checkAnswer(answer, id);
      } while (performance.now() < deadlineMs);
      return latencies.percentile(0.5);
    },
  };
}

function createSide() {
  let client: Role;
  let server: Role;
  return {
    setup: async () => {
      [client, server] = await Promise.all([
        startThread(import.meta.url, 'client'),
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
