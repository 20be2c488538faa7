import { type ActorContext, type ActorRef, defineActor } from '../../src/index.js';
import {
  busyWork,
  type Cast,
  type Facts,
  Outcome,
  RandomNumbers,
  rounded,
  type SavinaBenchmark,
  spawnInTurn,
} from './savina.js';

interface Parameters {
  readonly workers: number;
  /** Nodes along each side of the cube. */
  readonly side: number;
  /** Nodes that a worker expands before it reports. */
  readonly nodesPerTask: number;
}
interface Expansion {
  readonly worker: number;
  /** Pairs: a node, and its neighbour. */
  readonly edges: Int32Array;
}
interface MasterMessages {
  expanded(expansion: Expansion): void;
}

/** Work that belongs to each node that is expanded. */
const stepsPerNode = 100;

const coordinates = (node: number, side: number): [number, number, number] => [
  Math.floor(node / (side * side)),
  Math.floor(node / side) % side,
  node % side,
];

function distanceBetween(one: number, other: number, side: number): number {
  const [a, b, c] = coordinates(one, side);
  const [x, y, z] = coordinates(other, side);
  return Math.hypot(a - x, b - y, c - z);
}

/** The neighbours of a node lie further along one or two of the axes; which of them there are is random. */
function neighboursOf(node: number, side: number): number[] {
  const [x, y, z] = coordinates(node, side);
  const random = new RandomNumbers(node);
  const found: number[] = [];
  for (let step = 1; step < 7; step++) {
    const isThere = random.below(2) === 1 || (step === 6 && found.length === 0);
    const [nextX, nextY, nextZ] = [x + (step >> 2), y + ((step >> 1) & 1), z + (step & 1)];
    if (isThere && nextX < side && nextY < side && nextZ < side) found.push((nextX * side + nextY) * side + nextZ);
  }
  return found;
}

const targetOf = (side: number): number => {
  const axis = Math.floor(0.8 * side);
  return (axis * side + axis) * side + axis;
};

export const Worker = defineActor(import.meta.url, {
  name: 'worker',
  state: (args: { index: number; side: number; master: ActorRef<MasterMessages> }) => args,
  handlers: {
    expand({ index, side, master }, nodes: Int32Array) {
      const edges: number[] = [];
      for (const node of nodes) {
        busyWork(stepsPerNode);
        for (const neighbour of neighboursOf(node, side)) edges.push(node, neighbour);
      }
      master.tell('expanded', { worker: index, edges: Int32Array.from(edges) });
    },
  },
});

/** What is known of the way to each node, and the nodes to be expanded, the most promising first. */
class OpenNodes {
  readonly distances: Float64Array;
  readonly #side: number;
  readonly #target: number;
  /** A binary heap of nodes and their estimates. */
  readonly #heap: { readonly node: number; readonly estimate: number }[] = [];

  constructor(side: number) {
    this.#side = side;
    this.#target = targetOf(side);
    this.distances = new Float64Array(side ** 3).fill(Infinity);
  }

  get reached(): number {
    return this.distances[this.#target]!;
  }

  /** Notes a way to a node if it is a shorter one. */
  reach(node: number, distance: number): void {
    if (distance >= this.distances[node]!) return;
    this.distances[node] = distance;
    const heap = this.#heap;
    const entry = { node, estimate: distance + distanceBetween(node, this.#target, this.#side) };
    let at = heap.push(entry) - 1;
    for (let parent = (at - 1) >> 1; at > 0 && heap[parent]!.estimate > entry.estimate; parent = (at - 1) >> 1) {
      heap[at] = heap[parent]!;
      heap[parent] = entry;
      at = parent;
    }
  }

  /** Takes up to `count` nodes out that may lie on a way shorter than the one that is known. */
  take(count: number): Int32Array {
    const nodes: number[] = [];
    while (nodes.length < count && this.#heap.length > 0) {
      const { node, estimate } = this.#pop();
      if (estimate < this.reached) nodes.push(node);
    }
    return Int32Array.from(nodes);
  }

  #pop() {
    const heap = this.#heap;
    const first = heap[0]!;
    const last = heap.pop()!;
    if (heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && heap[child + 1]!.estimate < heap[child]!.estimate) child++;
      if (heap[child]!.estimate >= last.estimate) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}

export const Master = defineActor(import.meta.url, {
  name: 'master',
  isReentrant: true,
  state: async ({ parameters, contexts }: Cast<Parameters>, actor: ActorContext) => {
    const { side, workers } = parameters;
    const actors = await spawnInTurn(workers, contexts, (options, index) =>
      actor.spawn(Worker, { index, side, master: actor.self }, options),
    );
    return {
      parameters,
      actors,
      open: new OpenNodes(side),
      idle: actors.map((_, index) => index),
      outcome: new Outcome<Facts>(),
    };
  },
  handlers: {
    run(state) {
      state.open.reach(0, 0);
      dealOut(state);
      return state.outcome.promise;
    },
    expanded(state, { worker, edges }: Expansion) {
      const { open, idle, parameters } = state;
      for (let i = 0; i < edges.length; i += 2) {
        const [node, neighbour] = [edges[i]!, edges[i + 1]!];
        open.reach(neighbour, open.distances[node]! + distanceBetween(node, neighbour, parameters.side));
      }
      idle.push(worker);
      dealOut(state);
      if (idle.length === parameters.workers) state.outcome.resolve({ distance: rounded(open.reached) });
    },
  },
});

/** Gives each idle worker nodes to expand, as long as there are any. */
function dealOut(state: {
  readonly parameters: Parameters;
  readonly open: OpenNodes;
  readonly idle: number[];
  readonly actors: readonly ActorRef<{ expand(nodes: Int32Array): void }>[];
}): void {
  const { open, idle, actors, parameters } = state;
  while (idle.length > 0) {
    const nodes = open.take(parameters.nodesPerTask);
    if (nodes.length === 0) return;
    actors[idle.pop()!]!.tell('expand', nodes);
  }
}

/** A guided search in a cube: a master keeps the open nodes, workers expand them. */
export const aStar: SavinaBenchmark<Parameters> = {
  name: 'a-star',
  metric: 'A*: the shortest way through a 30 x 30 x 30 graph by 20 workers',
  parameters: {
    full: { workers: 20, side: 30, nodesPerTask: 50 },
    quick: { workers: 20, side: 15, nodesPerTask: 50 },
    tiny: { workers: 2, side: 5, nodesPerTask: 3 },
  },
  master: Master,
  // Ways only lead forward, so nodes in the order of their numbers are all reached before they are left.
  expected: ({ side }) => {
    const distances = new Float64Array(side ** 3).fill(Infinity);
    distances[0] = 0;
    for (let node = 0; node < distances.length; node++) {
      for (const neighbour of neighboursOf(node, side)) {
        const distance = distances[node]! + distanceBetween(node, neighbour, side);
        if (distance < distances[neighbour]!) distances[neighbour] = distance;
      }
    }
    return { distance: rounded(distances[targetOf(side)]!) };
  },
};
