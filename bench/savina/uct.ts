import { type ActorRef, defineActor } from '../../src/index.js';
import {
  busyWork,
  type Cast,
  type Facts,
  inTurn,
  Outcome,
  patient,
  RandomNumbers,
  roomy,
  type SavinaBenchmark,
} from './savina.js';

interface Parameters {
  readonly maximumNodes: number;
  readonly meanSteps: number;
  readonly deviationSteps: number;
  /** Children of a node that has any. */
  readonly branches: number;
}
interface NodeMessages {
  traverse(): void;
}
interface ParentMessages {
  traversed(nodes: number): void;
}
interface RootMessages extends ParentMessages {
  /** A new node asks whether it may have children; the answer is their work, 0 for none. */
  mayBranch(): number;
}

/** Decides, request by request, which nodes have children: the tree has the same number of nodes in whatever order. */
class Growth {
  nodes: number;
  /** Nodes that have not asked yet. */
  undecided: number;
  readonly #parameters: Parameters;
  readonly #random = new RandomNumbers(2);

  constructor(parameters: Parameters) {
    this.#parameters = parameters;
    this.nodes = 1 + parameters.branches;
    this.undecided = parameters.branches;
  }

  /** The work of the children, 0 for none. */
  decide(): number {
    const { maximumNodes, branches, meanSteps, deviationSteps } = this.#parameters;
    this.undecided--;
    // The first nodes always have children, or the tree might end before it has begun.
    const isFertile = this.nodes < 10 * branches || this.#random.below(2) === 1;
    if (!isFertile || this.nodes + branches > maximumNodes) return 0;
    this.nodes += branches;
    this.undecided += branches;
    return Math.max(1, Math.round(this.#random.normal(meanSteps, deviationSteps)));
  }
}

export const Node = defineActor(import.meta.url, {
  name: 'node',
  state: (args: {
    parent: ActorRef<ParentMessages>;
    root: ActorRef<RootMessages>;
    branches: number;
    steps: number;
  }) => ({
    ...args,
    children: [] as ActorRef<NodeMessages>[],
    nodes: 1,
    pending: 0,
  }),
  handlers: {
    async grow(state, _: undefined, actor) {
      const { root, branches } = state;
      const steps = await root.ask('mayBranch', undefined, patient);
      if (steps === 0) return;
      for (let i = 0; i < branches; i++) {
        const child = actor.spawnHere(Node, { parent: actor.self, root, branches, steps }) as ActorRef<
          NodeMessages & { grow(): void }
        >;
        state.children.push(child);
        child.tell('grow');
      }
    },
    traverse(state) {
      const { children, parent } = state;
      busyWork(state.steps);
      state.pending = children.length;
      for (const child of children) child.tell('traverse');
      if (children.length === 0) parent.tell('traversed', 1);
    },
    traversed(state, nodes: number) {
      state.nodes += nodes;
      if (--state.pending === 0) state.parent.tell('traversed', state.nodes);
    },
  },
});

export const Root = defineActor(import.meta.url, {
  name: 'root',
  isReentrant: true,
  mailbox: roomy,
  state: ({ parameters, contexts }: Cast<Parameters>) => ({
    parameters,
    contexts,
    growth: new Growth(parameters),
    children: [] as ActorRef<NodeMessages>[],
    pending: parameters.branches,
    traversed: 1,
    outcome: new Outcome<Facts>(),
  }),
  handlers: {
    async run(state, _: undefined, actor) {
      const { branches, meanSteps } = state.parameters;
      const args = { parent: actor.self, root: actor.self, branches, steps: meanSteps };
      const children = await Promise.all(
        Array.from({ length: branches }, (_, i) => actor.spawn(Node, args, { on: inTurn(i, state.contexts) })),
      );
      state.children = children;
      for (const child of children) child.tell('grow');
      return state.outcome.promise;
    },
    mayBranch(state) {
      const steps = state.growth.decide();
      // What is told now reaches a node behind the last answer, and its children behind their birth.
      if (state.growth.undecided === 0) for (const child of state.children) child.tell('traverse');
      return steps;
    },
    traversed(state, nodes: number) {
      state.traversed += nodes;
      if (--state.pending === 0) state.outcome.resolve({ nodes: state.growth.nodes, traversed: state.traversed });
    },
  },
});

/** A tree of actors that grows unevenly and is then traversed. */
export const uct: SavinaBenchmark<Parameters> = {
  name: 'uct',
  metric: 'UCT: a tree of 200,000 actors with 10 branches, traversed',
  parameters: {
    full: { maximumNodes: 200_000, meanSteps: 500, deviationSteps: 100, branches: 10 },
    quick: { maximumNodes: 1500, meanSteps: 100, deviationSteps: 20, branches: 10 },
    tiny: { maximumNodes: 100, meanSteps: 10, deviationSteps: 2, branches: 3 },
  },
  master: Root,
  expected: (parameters) => {
    const growth = new Growth(parameters);
    while (growth.undecided > 0) growth.decide();
    return { nodes: growth.nodes, traversed: growth.nodes };
  },
};
