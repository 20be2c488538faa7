import { MessagePort } from 'node:worker_threads';
import { threadWide } from './thread-wide.js';

/** Longer than a turn of the event loop takes, and short for who asks. */
const patienceMs = 5;

/** Something that holds this thread's event loop, and can let go of it. */
export interface LoopHold {
  ref(): unknown;
  unref(): unknown;
}

/** Probes that are under way in this thread. */
const probes = threadWide('loop-probes.1', () => ({ count: 0 }));

/** Whether 'beforeExit', as it is emitted now, may come from {@link isLoopAliveWithout} and not from the thread's end. */
export function isProbingLoop(): boolean {
  return probes.count > 0;
}

/**
 * Whether this thread's event loop would run on without `holds`: because of a user's timer, socket, or request to the
 * thread pool (file, name, crypto), ref'd all of them.
 *
 * Node.js can list handles, but not all requests: those of crypto never, those of files not on every version. The loop
 * itself knows: without anything to wait for it ends, and Node.js emits 'beforeExit', in worker threads too. So the
 * holds let go for a moment, and either that event comes at once, or something else keeps the loop going.
 */
export async function isLoopAliveWithout(holds: readonly LoopHold[]): Promise<boolean> {
  // In a turn of the loop: what lets go of it within 'beforeExit' is not told again.
  await new Promise((resolve) => setImmediate(resolve));
  return new Promise((resolve) => {
    const settle = (alive: boolean) => {
      probes.count--;
      process.off('beforeExit', onEmpty);
      clearTimeout(patience);
      // In the event itself, so that the loop goes on.
      for (const hold of holds) hold.ref();
      resolve(alive);
    };
    const onEmpty = () => settle(false);
    probes.count++;
    // After those of others, who may ask whether this is a probe.
    process.on('beforeExit', onEmpty);
    const patience = setTimeout(settle, patienceMs, true);
    patience.unref();
    for (const hold of holds) hold.unref();
  });
}

/**
 * The message ports that hold this thread's event loop now. Node.js has no documented way to them; should this one go, none is
 * found, and a thread counts as busy: then the process ends by `close()` only.
 */
export function activePorts(): readonly LoopHold[] {
  const { _getActiveHandles: activeHandles } = process as unknown as { _getActiveHandles?: () => object[] };
  const handles = activeHandles?.call(process) ?? [];
  return handles.filter((handle): handle is MessagePort => handle instanceof MessagePort);
}
