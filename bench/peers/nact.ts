/** nact's actors, all in one thread as nact has them: ping pong, and creating and stopping. */
import { requirePeer } from '../harness/requirement.js';
import type { Roles } from '../harness/role.js';
import { createBatch } from '../workloads.js';

interface Nact {
  start(): unknown;
  spawn(
    parent: unknown,
    handle: (state: number | undefined, message: number, context: { self: unknown; sender: unknown }) => number,
    name: string,
  ): unknown;
  dispatch(actor: unknown, message: number, sender?: unknown): void;
  stop(actor: unknown): void;
}

const exchangesPerBatch = 10_000;

/** Messages a second between two actors of which each sends when it has received. */
function createPingPong() {
  const { start, spawn, dispatch, stop } = requirePeer('nact') as Nact;
  const system = start();
  let remaining = 0;
  let onEnd: () => void = () => {};
  let onError: (error: unknown) => void = () => {};

  const pong = spawn(
    system,
    (received = 0, ping, { self, sender }) => {
      dispatch(sender, ping + 1, self);
      return received + 1;
    },
    'pong',
  );
  const ping = spawn(
    system,
    (sent = 0, answer, { self }) => {
      // 0 begins a batch; answers are one more than what was sent.
      if (answer !== 0 && answer !== sent + 1)
        onError(new Error(`wrong answer: expected ${sent + 1}, found ${answer}`));
      if (answer !== 0 && --remaining === 0) {
        onEnd();
        return sent;
      }
      dispatch(pong, sent + 1, self);
      return sent + 1;
    },
    'ping',
  );

  return {
    setup: () => {},
    run: async (budgetMs: number) => {
      const startMs = performance.now();
      const deadlineMs = startMs + budgetMs;
      let messages = 0;
      do {
        await new Promise<void>((resolve, reject) => {
          remaining = exchangesPerBatch;
          onEnd = resolve;
          onError = reject;
          dispatch(ping, 0);
        });
        messages += 2 * exchangesPerBatch;
      } while (performance.now() < deadlineMs);
      return (messages / (performance.now() - startMs)) * 1000;
    },
    teardown: () => stop(system),
  };
}

/** Actors a second that are created, handle one message and are stopped, in batches that exist at once. */
function createCreate() {
  const { start, spawn, dispatch, stop } = requirePeer('nact') as Nact;
  const system = start();
  let handled = 0;
  let sum = 0;
  let onEnd: () => void = () => {};

  function handle(_state: number | undefined, message: number): number {
    sum += message;
    if (++handled === createBatch) onEnd();
    return message;
  }

  return {
    setup: () => {},
    run: async (budgetMs: number) => {
      const startMs = performance.now();
      const deadlineMs = startMs + budgetMs;
      let created = 0;
      do {
        handled = 0;
        sum = 0;
        const done = new Promise<void>((resolve) => {
          onEnd = resolve;
        });
        const actors: unknown[] = [];
        for (let i = 0; i < createBatch; i++) actors.push(spawn(system, handle, `actor-${i}`));
        for (let i = 0; i < createBatch; i++) dispatch(actors[i], i);
        await done;
        if (sum !== (createBatch * (createBatch - 1)) / 2) throw new Error(`wrong sum: ${sum}`);
        for (const actor of actors) stop(actor);
        created += createBatch;
      } while (performance.now() < deadlineMs);
      return (created / (performance.now() - startMs)) * 1000;
    },
    teardown: () => stop(system),
  };
}

export const roles: Roles = {
  side: ({ workload }: { workload: 'ping-pong' | 'create' }) =>
    workload === 'ping-pong' ? createPingPong() : createCreate(),
};
