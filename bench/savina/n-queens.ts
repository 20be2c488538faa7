import { type ActorContext, type ActorRef, defineActor } from '../../src/index.js';
import { type Cast, type Facts, Outcome, type SavinaBenchmark, spawnInTurn } from './savina.js';

interface Parameters {
  readonly size: number;
  readonly workers: number;
  /** Rows that are placed as tasks of their own; the others are searched at once. */
  readonly threshold: number;
  readonly solutions: number;
}
/** A board whose first rows are filled; the sets are of columns, one bit each. */
interface Board {
  readonly row: number;
  readonly columns: number;
  readonly rising: number;
  readonly falling: number;
}
interface MasterMessages {
  found(result: { solutions: number; boards: readonly Board[] }): void;
}

function boardsBelow({ row, columns, rising, falling }: Board, size: number): Board[] {
  const boards: Board[] = [];
  let free = ~(columns | rising | falling) & ((1 << size) - 1);
  while (free !== 0) {
    const queen = free & -free;
    free ^= queen;
    boards.push({
      row: row + 1,
      columns: columns | queen,
      rising: (rising | queen) << 1,
      falling: (falling | queen) >>> 1,
    });
  }
  return boards;
}

function countSolutions(size: number, columns: number, rising: number, falling: number): number {
  const all = (1 << size) - 1;
  if (columns === all) return 1;
  let solutions = 0;
  let free = ~(columns | rising | falling) & all;
  while (free !== 0) {
    const queen = free & -free;
    free ^= queen;
    solutions += countSolutions(size, columns | queen, (rising | queen) << 1, (falling | queen) >>> 1);
  }
  return solutions;
}

export const Worker = defineActor(import.meta.url, {
  name: 'worker',
  state: (args: { master: ActorRef<MasterMessages>; parameters: Parameters }) => args,
  handlers: {
    search({ master, parameters: { size, threshold } }, board: Board) {
      if (board.row < threshold) master.tell('found', { solutions: 0, boards: boardsBelow(board, size) });
      else {
        const solutions = countSolutions(size, board.columns, board.rising, board.falling);
        master.tell('found', { solutions, boards: [] });
      }
    },
  },
});

export const Master = defineActor(import.meta.url, {
  name: 'master',
  isReentrant: true,
  state: async ({ parameters, contexts }: Cast<Parameters>, actor: ActorContext) => ({
    /** Boards that a worker has. */
    open: 1,
    solutions: 0,
    next: 0,
    outcome: new Outcome<Facts>(),
    workers: await spawnInTurn(parameters.workers, contexts, (options) =>
      actor.spawn(Worker, { master: actor.self, parameters }, options),
    ),
  }),
  handlers: {
    run({ workers, outcome }) {
      workers[0]!.tell('search', { row: 0, columns: 0, rising: 0, falling: 0 });
      return outcome.promise;
    },
    found(state, { solutions, boards }: { solutions: number; boards: readonly Board[] }) {
      state.solutions += solutions;
      state.open += boards.length - 1;
      for (const board of boards) state.workers[state.next++ % state.workers.length]!.tell('search', board);
      if (state.open === 0) state.outcome.resolve({ solutions: state.solutions });
    },
  },
});

/** All ways to place queens: a master deals boards out to workers, who give back boards with one queen more. */
export const nQueens: SavinaBenchmark<Parameters> = {
  name: 'n-queens',
  metric: 'n-queens: all solutions of size 12 by 20 workers',
  parameters: {
    full: { size: 12, workers: 20, threshold: 4, solutions: 14_200 },
    quick: { size: 9, workers: 20, threshold: 3, solutions: 352 },
    tiny: { size: 6, workers: 2, threshold: 2, solutions: 4 },
  },
  master: Master,
  expected: ({ solutions }) => ({ solutions }),
};
