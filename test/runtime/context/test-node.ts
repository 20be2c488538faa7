import { MessageChannel, type MessagePort } from 'node:worker_threads';
import type { ExecutionContext } from 'ava';
import { HeddleNode, type NodeOptions, type StartContextOptions } from '../../../src/runtime/context/node.js';
import { contextFactory } from './fake-context.js';
import type { ActionData } from './fixtures/actions.js';

export const actionsUrl = new URL('./fixtures/actions.js', import.meta.url);

/** A node of fake contexts that is closed when the test ends. */
export function makeTestNode(t: ExecutionContext, options: NodeOptions = {}) {
  const node = new HeddleNode(options, contextFactory);
  // Contexts do not keep the process alive, and ava ends a test when nothing else does.
  const hold = setInterval(() => {}, 60_000);
  t.teardown(async () => {
    await node.close();
    clearInterval(hold);
  });
  return node;
}

export type TestNode = ReturnType<typeof makeTestNode>;

/** What a context says over its port. */
export interface Told {
  answer?: unknown;
  code?: string;
  message?: string;
  detached?: number;
}

/** A context that takes actions over a port, and tells over it what its answers are and who was detached from it. */
export async function startScripted(
  t: ExecutionContext,
  node: TestNode,
  options: StartContextOptions<ActionData> = {},
) {
  const { port1, port2 } = new MessageChannel();
  const handle = await node.startContext(actionsUrl, {
    ...options,
    data: { ...options.data, port: port2 },
    transferList: [port2],
  });
  t.teardown(() => port1.close());
  return { handle, port: port1, tell: (action: ActionData) => port1.postMessage(action), told: () => nextTold(port1) };
}

function nextTold(port: MessagePort): Promise<Told> {
  return new Promise((resolve) => port.once('message', resolve));
}
