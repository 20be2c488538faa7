import { type ActorContext, type ActorRef, defineActor } from '../../src/index.js';
import { type Cast, type Facts, inBlocks, Outcome, RandomNumbers, rounded, type SavinaBenchmark } from './savina.js';

interface Parameters {
  /** Rows and columns of the grid. */
  readonly size: number;
  readonly iterations: number;
  readonly omega: number;
  readonly seed: number;
}
interface CellMessages {
  connect(neighbours: readonly ActorRef<CellMessages>[]): void;
  begin(): void;
  value(value: number): void;
}
interface MasterMessages {
  connected(): void;
  result(value: number): void;
}

function gridOf({ size, seed }: Parameters): Float64Array {
  const random = new RandomNumbers(seed);
  return Float64Array.from({ length: size * size }, () => random.fraction() * 1e-6);
}

/** The indices beside `index`: right, below, left, above. */
function besides(index: number, size: number): number[] {
  const row = Math.floor(index / size);
  const column = index % size;
  const found: number[] = [];
  if (column < size - 1) found.push(index + 1);
  if (row < size - 1) found.push(index + size);
  if (column > 0) found.push(index - 1);
  if (row > 0) found.push(index - size);
  return found;
}

/** Fields of the color that begins: as on a chessboard. */
const isFirst = (index: number, size: number): boolean => (Math.floor(index / size) + index) % 2 === 0;

const relaxed = (value: number, sum: number, omega: number): number => (omega / 4) * sum + (1 - omega) * value;

export const Field = defineActor(import.meta.url, {
  name: 'field',
  state: (args: { value: number; iterations: number; omega: number; master: ActorRef<MasterMessages> }) => ({
    ...args,
    neighbours: [] as readonly ActorRef<CellMessages>[],
    received: 0,
    sum: 0,
    done: 0,
  }),
  handlers: {
    connect(state, neighbours: readonly ActorRef<CellMessages>[]) {
      state.neighbours = neighbours;
      state.master.tell('connected');
    },
    begin(state) {
      for (const neighbour of state.neighbours) neighbour.tell('value', state.value);
    },
    value(state, value: number) {
      // The color that begins sends its last values to fields that have had all their turns.
      if (state.done === state.iterations) return;
      state.sum += value;
      if (++state.received < state.neighbours.length) return;
      state.value = relaxed(state.value, state.sum, state.omega);
      state.received = 0;
      state.sum = 0;
      state.done++;
      for (const neighbour of state.neighbours) neighbour.tell('value', state.value);
      if (state.done === state.iterations) state.master.tell('result', state.value);
    },
  },
});

export const Master = defineActor(import.meta.url, {
  name: 'master',
  isReentrant: true,
  state: async ({ parameters, contexts }: Cast<Parameters>, actor: ActorContext) => {
    const { size, iterations, omega } = parameters;
    const fields = await Promise.all(
      Array.from(gridOf(parameters), (value, index) =>
        actor.spawn(
          Field,
          { value, iterations, omega, master: actor.self },
          { on: inBlocks(index, size * size, contexts) },
        ),
      ),
    );
    return { size, fields, unconnected: fields.length, left: fields.length, sum: 0, outcome: new Outcome<Facts>() };
  },
  handlers: {
    run({ size, fields, outcome }) {
      fields.forEach((field, index) => {
        field.tell(
          'connect',
          besides(index, size).map((other) => fields[other]!),
        );
      });
      return outcome.promise;
    },
    connected(state) {
      if (--state.unconnected > 0) return;
      state.fields.forEach((field, index) => {
        if (isFirst(index, state.size)) field.tell('begin');
      });
    },
    result(state, value: number) {
      state.sum += value;
      if (--state.left === 0) state.outcome.resolve({ sum: rounded(state.sum) });
    },
  },
});

/** Each field of a grid is an actor and takes, again and again, the mean of its neighbours. */
export const successiveOverRelaxation: SavinaBenchmark<Parameters> = {
  name: 'successive-over-relaxation',
  metric: 'successive over-relaxation: 20 x 20 fields, 100 iterations',
  parameters: {
    full: { size: 20, iterations: 100, omega: 1.25, seed: 10_101_010 },
    quick: { size: 20, iterations: 10, omega: 1.25, seed: 10_101_010 },
    tiny: { size: 4, iterations: 3, omega: 1.25, seed: 10_101_010 },
  },
  master: Master,
  expected: (parameters) => {
    const { size, iterations, omega } = parameters;
    const grid = gridOf(parameters);
    // The color that does not begin is relaxed first: it has the values of the one that does.
    for (let turn = 0; turn < 2 * iterations; turn++) {
      for (let index = 0; index < grid.length; index++) {
        if (isFirst(index, size) === (turn % 2 === 0)) continue;
        const sum = besides(index, size).reduce((total, other) => total + grid[other]!, 0);
        grid[index] = relaxed(grid[index]!, sum, omega);
      }
    }
    return { sum: rounded(grid.reduce((total, value) => total + value, 0)) };
  },
};
