import { type ActorContext, type ActorRef, defineActor } from '../../src/index.js';
import { type Cast, type Facts, Outcome, type SavinaBenchmark, spawnInTurn } from './savina.js';

interface Parameters {
  readonly length: number;
  readonly workers: number;
  /** Elements of a block that is multiplied at once instead of being split. */
  readonly blockElements: number;
}
/** The product of a block of rows of A and a block of columns of B: all of it is one block of C. */
interface Block {
  readonly row: number;
  readonly column: number;
  readonly length: number;
}
interface MasterMessages {
  split(blocks: readonly Block[]): void;
  multiplied(result: { block: Block; product: Float64Array }): void;
}

/** The matrices, the same in every context: what a message carries are blocks and products. */
const elementOfA = (row: number) => row;
const elementOfB = (column: number) => column;

function multiply({ row, column, length }: Block, size: number): Float64Array {
  const a = new Float64Array(length * size);
  const b = new Float64Array(length * size);
  for (let i = 0; i < length; i++) {
    for (let k = 0; k < size; k++) {
      a[i * size + k] = elementOfA(row + i);
      b[i * size + k] = elementOfB(column + i);
    }
  }
  const product = new Float64Array(length * length);
  for (let i = 0; i < length; i++) {
    for (let j = 0; j < length; j++) {
      let sum = 0;
      for (let k = 0; k < size; k++) sum += a[i * size + k]! * b[j * size + k]!;
      product[i * length + j] = sum;
    }
  }
  return product;
}

export const Worker = defineActor(import.meta.url, {
  name: 'worker',
  state: (args: { master: ActorRef<MasterMessages>; parameters: Parameters }) => args,
  handlers: {
    work({ master, parameters }, block: Block) {
      const { row, column, length } = block;
      if (length * length <= parameters.blockElements) {
        master.tell('multiplied', { block, product: multiply(block, parameters.length) });
        return;
      }
      const half = length / 2;
      const quarters = [0, 1, 2, 3].map((i) => ({
        row: row + (i >> 1) * half,
        column: column + (i & 1) * half,
        length: half,
      }));
      master.tell('split', quarters);
    },
  },
});

export const Master = defineActor(import.meta.url, {
  name: 'master',
  isReentrant: true,
  state: async ({ parameters, contexts }: Cast<Parameters>, actor: ActorContext) => ({
    size: parameters.length,
    left: parameters.length ** 2,
    wrong: 0,
    sum: 0,
    next: 0,
    outcome: new Outcome<Facts>(),
    workers: await spawnInTurn(parameters.workers, contexts, (options) =>
      actor.spawn(Worker, { master: actor.self, parameters }, options),
    ),
  }),
  handlers: {
    run({ size, workers, outcome }) {
      workers[0]!.tell('work', { row: 0, column: 0, length: size });
      return outcome.promise;
    },
    split(state, blocks: readonly Block[]) {
      for (const block of blocks) state.workers[state.next++ % state.workers.length]!.tell('work', block);
    },
    multiplied(state, { block, product }: { block: Block; product: Float64Array }) {
      const { row, column, length } = block;
      for (let i = 0; i < product.length; i++) {
        const right = (row + Math.floor(i / length)) * (column + (i % length)) * state.size;
        if (product[i] !== right) state.wrong++;
        state.sum += product[i]!;
      }
      state.left -= product.length;
      if (state.left === 0) state.outcome.resolve({ wrong: state.wrong, sum: state.sum });
    },
  },
});

/** Two matrices, split into quarters until they are small enough for one worker. */
export const matrixMultiplication: SavinaBenchmark<Parameters> = {
  name: 'matrix-multiplication',
  metric: 'recursive matrix multiplication: 1024 x 1024 by 20 workers',
  parameters: {
    full: { length: 1024, workers: 20, blockElements: 16_384 },
    quick: { length: 128, workers: 20, blockElements: 1024 },
    tiny: { length: 16, workers: 2, blockElements: 16 },
  },
  master: Master,
  expected: ({ length }) => ({ wrong: 0, sum: length * ((length * (length - 1)) / 2) ** 2 }),
};
