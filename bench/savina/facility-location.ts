import { type ActorContext, type ActorRef, defineActor } from '../../src/index.js';
import { type Cast, type Facts, inTurn, Outcome, RandomNumbers, type SavinaBenchmark, whenReady } from './savina.js';

interface Parameters {
  readonly customers: number;
  readonly gridSize: number;
  /** A quadrant is divided when the ways of its customers are `alpha` times as long as the grid's diagonal. */
  readonly alpha: number;
  readonly seed: number;
}
interface Point {
  readonly x: number;
  readonly y: number;
}
interface Box {
  readonly left: number;
  readonly top: number;
  readonly size: number;
}
interface ParentMessages {
  opened(facility: { point: Point; quadrant: number }): void;
  counted(count: Count): void;
}
interface QuadrantMessages extends ParentMessages {
  customer(point: Point): void;
  known(facility: Point): void;
  count(): void;
}
interface Count {
  readonly facilities: number;
  readonly customers: number;
  readonly divisions: number;
  /** Customers that were not where their quadrant is. */
  readonly strays: number;
}
interface QuadrantArguments {
  readonly parent: ActorRef<ParentMessages>;
  readonly quadrant: number;
  readonly box: Box;
  readonly threshold: number;
  readonly facilities: readonly Point[];
  readonly customers: readonly Point[];
  /** Contexts that the quarters may be dealt out to. */
  readonly contexts: number;
}

const middleOf = ({ left, top, size }: Box): Point => ({ x: left + size / 2, y: top + size / 2 });
const quarterOf = (point: Point, middle: Point): number => (point.x < middle.x ? 0 : 1) + (point.y < middle.y ? 0 : 2);

function isInside({ x, y }: Point, { left, top, size }: Box): boolean {
  return x >= left && x <= left + size && y >= top && y <= top + size;
}

function quarterBox({ left, top, size }: Box, quarter: number): Box {
  const half = size / 2;
  return { left: left + (quarter & 1) * half, top: top + (quarter >> 1) * half, size: half };
}

/** The way from a customer to the nearest facility. */
function costOf({ x, y }: Point, facilities: readonly Point[]): number {
  let least = Infinity;
  for (const facility of facilities) {
    const squared = (facility.x - x) ** 2 + (facility.y - y) ** 2;
    if (squared < least) least = squared;
  }
  return Math.sqrt(least);
}

interface QuadrantState extends Omit<QuadrantArguments, 'facilities' | 'customers'> {
  readonly middle: Point;
  readonly facilities: Point[];
  customers: Point[];
  cost: number;
  children: readonly ActorRef<QuadrantMessages>[];
  count: Count;
  pending: number;
}

/** Opens the facility of a quadrant and deals its customers out to four new ones. */
async function divide(state: QuadrantState, actor: ActorContext): Promise<void> {
  const { middle, threshold, contexts, facilities, box } = state;
  state.parent.tell('opened', { point: middle, quadrant: state.quadrant });
  const customers = state.customers;
  state.customers = [];
  const children: ActorRef<QuadrantMessages>[] = [];
  for (let quadrant = 0; quadrant < 4; quadrant++) {
    const args: QuadrantArguments = {
      parent: actor.self,
      quadrant,
      box: quarterBox(box, quadrant),
      threshold,
      facilities,
      customers: customers.filter((point) => quarterOf(point, middle) === quadrant),
      contexts: 1,
    };
    children.push(
      contexts === 1
        ? actor.spawnHere(Quadrant, args)
        : await actor.spawn(Quadrant, args, { on: inTurn(quadrant, contexts) }),
    );
  }
  state.children = children;
}

export const Quadrant = defineActor(import.meta.url, {
  name: 'quadrant',
  state: (args: QuadrantArguments): QuadrantState => {
    const middle = middleOf(args.box);
    const facilities = [...args.facilities, middle];
    return {
      ...args,
      middle,
      facilities,
      customers: [...args.customers],
      cost: args.customers.reduce((sum, point) => sum + costOf(point, facilities), 0),
      children: [],
      count: { facilities: 0, customers: 0, divisions: 0, strays: 0 },
      pending: 4,
    };
  },
  handlers: {
    customer(state, point: Point, actor) {
      const { children, middle, facilities, threshold } = state;
      if (children.length > 0) {
        const child = children[quarterOf(point, middle)]!;
        return whenReady(child.tell('customer', point), child);
      }
      state.customers.push(point);
      state.cost += costOf(point, facilities);
      return state.cost > threshold ? divide(state, actor) : undefined;
    },
    /** A quarter of this one has opened its facility: those opposite to it, and all above, get to know. */
    opened(state, { point, quadrant }: { point: Point; quadrant: number }) {
      state.facilities.push(point);
      state.parent.tell('opened', { point, quadrant: state.quadrant });
      state.children[3 - quadrant]!.tell('known', point);
    },
    known({ facilities, children }, point: Point) {
      facilities.push(point);
      for (const child of children) child.tell('known', point);
    },
    count({ children, customers, box, parent }) {
      for (const child of children) child.tell('count');
      if (children.length > 0) return;
      const strays = customers.filter((point) => !isInside(point, box)).length;
      parent.tell('counted', { facilities: 0, customers: customers.length, divisions: 0, strays });
    },
    counted(state, { facilities, customers, divisions, strays }: Count) {
      const sum = state.count;
      state.count = {
        facilities: sum.facilities + facilities,
        customers: sum.customers + customers,
        divisions: sum.divisions + divisions,
        strays: sum.strays + strays,
      };
      if (--state.pending > 0) return;
      const { count } = state;
      state.parent.tell('counted', { ...count, facilities: count.facilities + 1, divisions: count.divisions + 1 });
    },
  },
});

export const Master = defineActor(import.meta.url, {
  name: 'master',
  isReentrant: true,
  state: ({ parameters, contexts }: Cast<Parameters>, actor: ActorContext) => ({
    parameters,
    opened: 0,
    outcome: new Outcome<Facts>(),
    root: actor.spawnHere(Quadrant, {
      parent: actor.self,
      quadrant: 0,
      box: { left: 0, top: 0, size: parameters.gridSize },
      threshold: parameters.alpha * Math.SQRT2 * parameters.gridSize,
      facilities: [],
      customers: [],
      contexts,
    }),
  }),
  handlers: {
    async run({ parameters: { customers, gridSize, seed }, root, outcome }) {
      const random = new RandomNumbers(seed);
      for (let i = 0; i < customers; i++) {
        const point = { x: random.fraction() * gridSize, y: random.fraction() * gridSize };
        if (!root.tell('customer', point)) await root.ready();
      }
      root.tell('count');
      return outcome.promise;
    },
    opened(state) {
      state.opened++;
    },
    counted(state, { facilities, customers, divisions, strays }: Count) {
      // Where facilities open depends on the order of messages; that every one is told of, and counted, does not.
      const isConsistent = facilities === state.opened && divisions === facilities && facilities > 1;
      state.outcome.resolve({ customers, strays, isConsistent });
    },
  },
});

/** Customers come one by one; a quadrant opens a facility when the ways in it have become too long. */
export const facilityLocation: SavinaBenchmark<Parameters> = {
  name: 'facility-location',
  metric: 'facility location: 100,000 customers on a grid that divides itself',
  parameters: {
    full: { customers: 100_000, gridSize: 500, alpha: 2, seed: 123_456 },
    quick: { customers: 3000, gridSize: 500, alpha: 2, seed: 123_456 },
    tiny: { customers: 100, gridSize: 500, alpha: 2, seed: 123_456 },
  },
  master: Master,
  expected: ({ customers }) => ({ customers, strays: 0, isConsistent: true }),
};
