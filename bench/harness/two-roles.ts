/** Sides that are two roles: one asks or sends, the other answers or receives. */
import { MessageChannel } from 'node:worker_threads';
import { type Flood, floodRate } from './arrivals.js';
import { type Handlers, type Role, startProcess, startThread } from './role.js';

/** Starts both roles of a module and joins them. */
type StartPair = (module: string, names: readonly [string, string], options: unknown) => Promise<[Role, Role]>;

/** Two threads with a MessageChannel between them: each is told to `connect` with its port. */
export const threadPair: StartPair = async (module, [first, second], options) => {
  const pair = await Promise.all([startThread(module, first, options), startThread(module, second, options)]);
  const { port1, port2 } = new MessageChannel();
  await Promise.all([
    pair[0].call('connect', { port: port1 }, [port1]),
    pair[1].call('connect', { port: port2 }, [port2]),
  ]);
  return pair;
};

/** Two processes: the first is told to `connect` to where the second one's `listen` says that it listens. */
export const processPair: StartPair = async (module, [first, second], options) => {
  const pair = await Promise.all([startProcess(module, first, options), startProcess(module, second, options)]);
  await pair[0].call('connect', await pair[1].call('listen'));
  return pair;
};

function pairSide(
  start: () => Promise<[Role, Role]>,
  run: (first: Role, second: Role, budgetMs: number) => Promise<number>,
): Handlers {
  let pair: [Role, Role];
  return {
    setup: async () => {
      pair = await start();
    },
    run: (budgetMs: number) => run(pair[0], pair[1], budgetMs),
    teardown: async () => {
      await Promise.all(pair.map((role) => role.stop()));
    },
  };
}

/** A side of the roles `client`, whose `run` measures, and `server`. */
export function askingSide(module: string, startPair: StartPair, options: unknown = {}): Handlers {
  return pairSide(
    () => startPair(module, ['client', 'server'], options),
    (client, _server, budgetMs) => client.call<number>('run', budgetMs),
  );
}

/** A side of the roles `sender`, whose `send` floods, and `receiver`, whose `waitFor` sees all of it arrive. */
export function floodingSide(module: string, startPair: StartPair, options: unknown = {}): Handlers {
  return pairSide(
    () => startPair(module, ['sender', 'receiver'], options),
    async (sender, receiver, budgetMs) => {
      const flood = await sender.call<Flood>('send', budgetMs);
      return floodRate(flood, await receiver.call<number>('waitFor', flood.total));
    },
  );
}
