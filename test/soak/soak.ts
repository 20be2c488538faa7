import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { createNode } from '../../src/index.js';
import { type SoakAddress, startContexts } from './soak-contexts.js';
import { isAtRest, type SoakCommand, type SoakCounts, type SoakPlan, type SoakRest } from './soak-plan.js';

/** What came of a soak. */
export interface SoakReport {
  readonly plan: SoakPlan;
  readonly seconds: number;
  readonly counts: SoakCounts;
  /** What did not hold: nothing lost, doubled, out of order or left behind when it is empty. */
  readonly problems: readonly string[];
  readonly slabBytes: number;
  readonly residentBytes: number;
}

function addUp(all: readonly SoakCounts[]): SoakCounts {
  const total = { ...(all[0] as SoakCounts), problems: all.flatMap((counts) => counts.problems) };
  for (const counts of all.slice(1)) {
    for (const [name, value] of Object.entries(counts)) {
      if (typeof value === 'number') (total as unknown as Record<string, number>)[name] += value;
    }
  }
  return total;
}

/** What keeps the process alive, by kind. */
function handles(): Map<string, number> {
  const count = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo()) count.set(kind, (count.get(kind) ?? 0) + 1);
  return count;
}

/** Handles of these kinds come from wires, threads and timers of the soak, not from who runs it. */
const ownHandles = ['TCPSocketWrap', 'TCPServerWrap', 'Worker', 'MessagePort', 'Timeout'];

/** The contexts of the second process, which ends when it is told to go by `disconnect`. */
async function startSecondProcess(plan: SoakPlan): Promise<{ child: ChildProcess; addresses: readonly SoakAddress[] }> {
  const child = fork(new URL('./soak-process.js', import.meta.url), [JSON.stringify(plan)]);
  const failed = once(child, 'exit').then(([code, signal]) => {
    throw new Error(`the second process ended: code=${code} signal=${signal}`);
  });
  const [addresses] = await Promise.race([once(child, 'message'), failed]);
  failed.catch(() => {});
  return { child, addresses };
}

/** Runs a plan: contexts that talk to each other until the time is over, and then are asked what they are left with. */
export async function runSoak(
  plan: SoakPlan,
  onProgress: (counts: SoakCounts) => void = () => {},
): Promise<SoakReport> {
  const before = handles();
  const startedMs = performance.now();
  const problems: string[] = [];
  const node = createNode({ contextOptions: plan.contextOptions });
  let counts: SoakCounts;
  let slabBytes = 0;
  let second: ChildProcess | undefined;
  try {
    node.context.on('report', (error) => problems.push(`main: ${error.stack}`));
    const addresses = [...(await startContexts(node, plan, 0))];
    if (plan.hasSecondProcess) {
      const started = await startSecondProcess(plan);
      second = started.child;
      addresses.push(...started.addresses);
    }
    const controls = await Promise.all(addresses.map(({ control }) => node.context.connect(control)));
    const askAll = async <Answer>(command: SoakCommand): Promise<Answer[]> =>
      Promise.all(
        controls.map(async (control) => {
          const response = await control.request(command, { timeoutMs: Number.POSITIVE_INFINITY });
          using _ = response;
          return response.value as Answer;
        }),
      );
    const progress = setInterval(() => {
      askAll<SoakCounts>({ count: true }).then(
        (all) => onProgress(addUp(all)),
        () => {},
      );
    }, 1000);
    const services = addresses.map(({ service }) => service);
    try {
      await askAll({ run: services });
    } finally {
      clearInterval(progress);
    }
    for (const [number, rest] of (await askAll<SoakRest>({ finish: true })).entries()) {
      slabBytes += rest.slabBytes;
      if (!isAtRest(rest)) problems.push(`context ${number} is left with ${JSON.stringify(rest)}`);
    }
    // Asked last: what was found out in the end counts too.
    counts = addUp(await askAll<SoakCounts>({ count: true }));
    await Promise.all(controls.map((control) => control.close()));
    if (node.context.connectionCount > 0) problems.push(`main has ${node.context.connectionCount} connections`);
    if (node.context.memory.buffersHeld > 0) problems.push(`main holds ${node.context.memory.buffersHeld} buffers`);
  } finally {
    await node.close();
    if (second?.connected) {
      const exit = once(second, 'exit');
      second.disconnect();
      const [code, signal] = await exit;
      if (code !== 0) problems.push(`the second process ended: code=${code} signal=${signal}`);
    }
  }
  await new Promise((resolve) => setImmediate(resolve));
  const after = handles();
  for (const kind of ownHandles) {
    const [now, then] = [after.get(kind) ?? 0, before.get(kind) ?? 0];
    if (now > then) problems.push(`${now - then} handles of kind ${kind} are left`);
  }
  return {
    plan,
    seconds: (performance.now() - startedMs) / 1000,
    counts,
    problems: [...counts.problems, ...problems],
    slabBytes,
    residentBytes: process.memoryUsage.rss(),
  };
}
