import type { ExecutionContext } from 'ava';
import { type ActorFailure, type ActorSystem, createSystem, type SystemOptions } from '../../../src/index.js';

/** Rings of the usual size for each pair of contexts would take most of a test's time. */
const ringCapacityBytes = 256 * 1024;

/** However busy the machine is: a thread may have no core for seconds. */
const askTimeoutMs = 60_000;

/** A system for one test, with what its actors' failures were. */
export async function testSystem(
  t: ExecutionContext,
  options: SystemOptions = {},
): Promise<{ system: ActorSystem; failures: ActorFailure[] }> {
  const system = await createSystem({ ringCapacityBytes, askTimeoutMs, ...options });
  // Contexts do not keep the process alive, and ava ends a test when nothing else does.
  const hold = setInterval(() => {}, 60_000);
  t.teardown(async () => {
    await system.close();
    clearInterval(hold);
  });
  const failures: ActorFailure[] = [];
  system.on('actorFailure', (failure) => failures.push(failure));
  return { system, failures };
}

/** Resolves when `condition` holds: looked at in every turn of the event loop, for half a minute at the most. */
export async function until(condition: () => boolean | Promise<boolean>, what = String(condition)): Promise<void> {
  const deadlineMs = performance.now() + 30_000;
  while (!(await condition())) {
    if (performance.now() > deadlineMs) throw new Error(`waited in vain for: ${what}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
