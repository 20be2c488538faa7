/** Heddle's sides of the benchmarks of scale: what each of many costs. A run is in a process of its own. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { type Context, createNode, createSystem } from '../../src/index.js';
import { collectAllGarbage } from '../../src/runtime/context/loading-garbage.js';
import type { Mode } from '../harness/benchmark.js';
import type { Roles } from '../harness/role.js';
import { Ephemeral, Idler, Passer } from './scale-actors.js';

type System = Awaited<ReturnType<typeof createSystem>>;

const patient = { timeoutMs: 80_000 };
const messagesPerContext = 50_000;
/** Rounds in which each thread compiles for itself what it runs, before any is counted: they take ten times as long as later ones. */
const warmUpRounds = 6;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** V8 gives memory back up to a second after it was told to collect garbage. */
const restMs = 1500;
const readingMs = 100;

/** Resident memory of the process at rest, when all its threads have collected and given back what they can. */
async function residentBytes(): Promise<number> {
  for (let i = 0; i < 3; i++) collectGarbage();
  let bytes = process.memoryUsage.rss();
  for (let quietMs = 0; quietMs < restMs; quietMs += readingMs) {
    await new Promise((resolve) => setTimeout(resolve, readingMs));
    const now = process.memoryUsage.rss();
    // A page or two come and go; what a thread gives back is more.
    if (Math.abs(now - bytes) > 0.002 * bytes) quietMs = 0;
    bytes = now;
  }
  return bytes;
}

/** CPU time of the process in µs. */
function cpuMicros(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

/** CPU time in µs of one of `count` when `work` does them all, again and again for as long as the budget. */
async function microsOfOne(count: number, budgetMs: number, work: () => Promise<void>): Promise<number> {
  const startMs = performance.now();
  const startMicros = cpuMicros();
  let done = 0;
  do {
    await work();
    done += count;
  } while (performance.now() - startMs < budgetMs);
  return (cpuMicros() - startMicros) / done;
}

/** What each of the second half of `count` adds to the process: the first half brings along what is there only once. */
async function bytesOfOne(count: number, make: (count: number) => Promise<void>): Promise<number> {
  const half = Math.ceil(count / 2);
  await make(half);
  const before = await residentBytes();
  await make(half);
  return ((await residentBytes()) - before) / half;
}

async function withSystem<T>(contexts: number, use: (system: System) => Promise<T>): Promise<T> {
  const system = await createSystem({ contexts });
  try {
    return await use(system);
  } finally {
    await system.close({ timeoutMs: 30_000 });
  }
}

/** Creates actors that exist at once, and of which each handles a message and stops. */
const actorTime = (count: number, budgetMs: number) =>
  withSystem(0, (system) =>
    microsOfOne(count, budgetMs, async () => {
      let sum = 0;
      let handled = 0;
      await new Promise<void>((resolve) => {
        const onHandled = (value: number) => {
          sum += value;
          if (++handled === count) resolve();
        };
        const actors = Array.from({ length: count }, () => system.spawnHere(Ephemeral, { onHandled }));
        for (let i = 0; i < count; i++) actors[i]!.tell('handle', i);
      });
      if (sum !== (count * (count - 1)) / 2) throw new Error(`wrong sum: ${sum}`);
    }),
  );

/** Idle actors that have handled a message. */
const actorMemory = (count: number) =>
  withSystem(0, async (system) => {
    const bytes = await bytesOfOne(count, async (some) => {
      for (let i = 0; i < some; i++) system.spawnHere(Idler).tell('add', i);
      const last = system.spawnHere(Idler);
      // Those before it have handled theirs when it has.
      if ((await last.ask('add', 1, patient)) !== 1) throw new Error('wrong answer');
    });
    if (system.host.actorCount < count) throw new Error(`${system.host.actorCount} actors instead of ${count}`);
    return bytes;
  });

/** Starts contexts with an actor in each, which answers, and ends them. */
async function useContexts(count: number, use: (system: System) => Promise<void> = async () => {}): Promise<void> {
  await withSystem(count, async (system) => {
    for (let i = 1; i <= count; i++) {
      const actor = await system.spawn(Idler, undefined, { on: `worker-${i}` });
      if ((await actor.ask('add', i)) !== i) throw new Error('wrong answer');
    }
    await use(system);
  });
}

/** In milliseconds. */
const contextTime = async (count: number, budgetMs: number) =>
  (await microsOfOne(count, budgetMs, () => useContexts(count))) / 1000;

/** In MiB. */
async function contextMemory(count: number): Promise<number> {
  let bytes = 0;
  // What a process has once for all its threads is there when the first one runs.
  await useContexts(1, async () => {
    // As a context's thread does by itself, so that this one does not do so between two readings.
    await collectAllGarbage();
    const before = await residentBytes();
    await useContexts(count, async () => {
      await collectAllGarbage();
      bytes = ((await residentBytes()) - before) / count;
    });
  });
  return bytes / 2 ** 20;
}

/** A ring of contexts, in which each sends to the next one. */
const contextMessages = (count: number, budgetMs: number) =>
  withSystem(count, async (system) => {
    const passers = await Promise.all(
      Array.from({ length: count }, (_, i) => system.spawn(Passer, undefined, { on: `worker-${i + 1}` })),
    );
    let expected = 0;
    const round = async () => {
      expected += messagesPerContext;
      await Promise.all(
        passers.map((passer, i) =>
          passer.ask('send', { to: passers[(i + 1) % count]!, count: messagesPerContext }, patient),
        ),
      );
      for (const passer of passers) {
        const received = await passer.ask('received', expected, patient);
        if (received !== expected) throw new Error(`received=${received} expected=${expected}`);
      }
    };
    for (let i = 0; i < warmUpRounds; i++) await round();
    return microsOfOne(count * messagesPerContext, budgetMs, round);
  });

async function withServer<T>(use: (context: Context, uri: string) => Promise<T>): Promise<T> {
  const uri = 'shm://scale';
  const node = createNode();
  try {
    await node.startContext(new URL('./scale-server.js', import.meta.url), { data: uri });
    return await use(node.context, uri);
  } finally {
    await node.close();
  }
}

/** Opens a connection in a session of its own, over which a question is answered. */
async function openOne(context: Context, uri: string, question: number) {
  const connection = await context.connect(uri);
  const { value } = await connection.request(question, patient);
  if (value !== question + 1) throw new Error(`wrong answer: ${value} to ${question}`);
  return connection;
}

/** As many at once as there may well be opened by one program at a time. */
const openedTogether = 100;

async function openMany(context: Context, uri: string, count: number) {
  const all: Awaited<ReturnType<typeof openOne>>[] = [];
  while (all.length < count) {
    const some = Math.min(openedTogether, count - all.length);
    all.push(...(await Promise.all(Array.from({ length: some }, (_, i) => openOne(context, uri, all.length + i)))));
  }
  return all;
}

const connectionTime = (count: number, budgetMs: number) =>
  withServer((context, uri) =>
    microsOfOne(count, budgetMs, async () => {
      const connections = await openMany(context, uri, count);
      await Promise.all(connections.map((connection) => connection.session.close()));
    }),
  );

/** In KiB, of both ends together. */
const connectionMemory = (count: number) =>
  withServer(async (context, uri) => {
    const bytes = await bytesOfOne(count, async (some) => {
      await openMany(context, uri, some);
    });
    return bytes / 1024;
  });

const quantities = {
  'actor-time': actorTime,
  'actor-memory': actorMemory,
  'context-time': contextTime,
  'context-memory': contextMemory,
  'context-messages': contextMessages,
  'connection-time': connectionTime,
  'connection-memory': connectionMemory,
};

export type ScaleQuantity = keyof typeof quantities;

/** How many of them there are, in a full run and in a quick one. */
export type Count = Readonly<Record<Mode, number>>;

export const roles: Roles = {
  side: ({ quantity, count }: { quantity: ScaleQuantity; count: Count }) => {
    let mode: Mode = 'full';
    return {
      setup: (itsMode: Mode) => {
        mode = itsMode;
      },
      run: (budgetMs: number) => quantities[quantity](count[mode], budgetMs),
      teardown: () => {},
    };
  },
};
