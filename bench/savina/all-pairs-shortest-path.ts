import { type ActorContext, type ActorRef, defineActor } from '../../src/index.js';
import { type Cast, type Facts, inBlocks, Outcome, RandomNumbers, type SavinaBenchmark } from './savina.js';

interface Parameters {
  readonly nodes: number;
  /** Rows and columns of a block; the nodes are a multiple of it. */
  readonly block: number;
  readonly largestWeight: number;
}
/** The part of row (or column) number `k` that one block needs for its step number `k`. */
interface Segment {
  readonly k: number;
  readonly values: Int32Array;
}
interface Neighbours {
  readonly sameRow: readonly ActorRef<BlockMessages>[];
  readonly sameColumn: readonly ActorRef<BlockMessages>[];
}
interface BlockMessages {
  connect(neighbours: Neighbours): void;
  row(segment: Segment): void;
  column(segment: Segment): void;
}
interface MasterMessages {
  result(checksum: number): void;
}

function distancesOf({ nodes, largestWeight }: Parameters): Int32Array {
  const random = new RandomNumbers(nodes);
  const distances = Int32Array.from({ length: nodes * nodes }, () => 1 + random.below(largestWeight));
  for (let i = 0; i < nodes; i++) distances[i * nodes + i] = 0;
  return distances;
}

/** A sum in which each distance has a weight of its own place. */
function checksumOf(distance: number, row: number, column: number): number {
  return distance * (1 + ((row * 31 + column) % 97));
}

interface BlockState {
  readonly row: number;
  readonly column: number;
  readonly parameters: Parameters;
  readonly distances: Int32Array;
  k: number;
  readonly rows: Map<number, Int32Array>;
  readonly columns: Map<number, Int32Array>;
  sameRow: readonly ActorRef<BlockMessages>[];
  sameColumn: readonly ActorRef<BlockMessages>[];
  readonly master: ActorRef<MasterMessages>;
}

/** Sends what others need for step `k`, if it is in this block. */
function share({ k, row, column, parameters: { block }, distances, sameRow, sameColumn }: BlockState): void {
  const at = k % block;
  if (Math.floor(k / block) === row) {
    const values = distances.slice(at * block, (at + 1) * block);
    for (const other of sameColumn) other.tell('row', { k, values });
  }
  if (Math.floor(k / block) === column) {
    const values = Int32Array.from({ length: block }, (_, i) => distances[i * block + at]!);
    for (const other of sameRow) other.tell('column', { k, values });
  }
}

/** Does as many steps as there are segments for. */
function advance(state: BlockState): void {
  const { parameters, distances, rows, columns } = state;
  const { block, nodes } = parameters;
  for (;;) {
    const { k } = state;
    const row = rows.get(k);
    const column = columns.get(k);
    if (row === undefined || column === undefined) return;
    rows.delete(k);
    columns.delete(k);
    for (let i = 0; i < block; i++) {
      const toK = column[i]!;
      for (let j = 0; j < block; j++) {
        const byK = toK + row[j]!;
        if (byK < distances[i * block + j]!) distances[i * block + j] = byK;
      }
    }
    state.k++;
    if (state.k === nodes) {
      let sum = 0;
      distances.forEach((distance, index) => {
        const i = state.row * block + Math.floor(index / block);
        sum += checksumOf(distance, i, state.column * block + (index % block));
      });
      state.master.tell('result', sum);
      return;
    }
    share(state);
  }
}

export const Block = defineActor(import.meta.url, {
  name: 'block',
  state: (args: {
    row: number;
    column: number;
    parameters: Parameters;
    distances: Int32Array;
    master: ActorRef<MasterMessages>;
  }): BlockState => ({ ...args, k: 0, rows: new Map(), columns: new Map(), sameRow: [], sameColumn: [] }),
  handlers: {
    connect(state, { sameRow, sameColumn }: Neighbours) {
      state.sameRow = sameRow;
      state.sameColumn = sameColumn;
      share(state);
    },
    row(state, { k, values }: Segment) {
      state.rows.set(k, values);
      advance(state);
    },
    column(state, { k, values }: Segment) {
      state.columns.set(k, values);
      advance(state);
    },
  },
});

export const Master = defineActor(import.meta.url, {
  name: 'master',
  isReentrant: true,
  state: async ({ parameters, contexts }: Cast<Parameters>, actor: ActorContext) => {
    const { nodes, block } = parameters;
    const all = distancesOf(parameters);
    const side = nodes / block;
    const blocks = await Promise.all(
      Array.from({ length: side * side }, (_, index) => {
        const row = Math.floor(index / side);
        const column = index % side;
        const distances = Int32Array.from(
          { length: block * block },
          (_, i) => all[(row * block + Math.floor(i / block)) * nodes + column * block + (i % block)]!,
        );
        const args = { row, column, parameters, distances, master: actor.self };
        return actor.spawn(Block, args, { on: inBlocks(row, side, contexts) });
      }),
    );
    return { blocks, side, left: blocks.length, checksum: 0, outcome: new Outcome<Facts>() };
  },
  handlers: {
    run({ blocks, side, outcome }) {
      blocks.forEach((block, index) => {
        const sameRow = blocks.filter((_, i) => Math.floor(i / side) === Math.floor(index / side));
        const sameColumn = blocks.filter((_, i) => i % side === index % side);
        block.tell('connect', { sameRow, sameColumn });
      });
      return outcome.promise;
    },
    result(state, checksum: number) {
      state.checksum += checksum;
      if (--state.left === 0) state.outcome.resolve({ checksum: state.checksum });
    },
  },
});

/** Floyd and Warshall's algorithm on blocks of the matrix, which send each other the rows and columns that they need. */
export const allPairsShortestPath: SavinaBenchmark<Parameters> = {
  name: 'all-pairs-shortest-path',
  metric: 'all-pairs shortest path: 300 nodes in blocks of 50 x 50',
  parameters: {
    full: { nodes: 300, block: 50, largestWeight: 100 },
    quick: { nodes: 60, block: 15, largestWeight: 100 },
    tiny: { nodes: 12, block: 4, largestWeight: 100 },
  },
  master: Master,
  expected: (parameters) => {
    const { nodes } = parameters;
    const distances = distancesOf(parameters);
    for (let k = 0; k < nodes; k++) {
      for (let i = 0; i < nodes; i++) {
        for (let j = 0; j < nodes; j++) {
          const byK = distances[i * nodes + k]! + distances[k * nodes + j]!;
          if (byK < distances[i * nodes + j]!) distances[i * nodes + j] = byK;
        }
      }
    }
    let checksum = 0;
    distances.forEach((distance, index) => {
      checksum += checksumOf(distance, Math.floor(index / nodes), index % nodes);
    });
    return { checksum };
  },
};
