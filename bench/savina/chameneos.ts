import { type ActorContext, type ActorRef, defineActor } from '../../src/index.js';
import { type Cast, type Facts, Outcome, type SavinaBenchmark, spawnInTurn } from './savina.js';

interface Parameters {
  readonly chameneos: number;
  readonly meetings: number;
}
/** Blue, red, yellow. */
type Color = 0 | 1 | 2;
interface Visitor {
  readonly color: Color;
  readonly from: ActorRef<ChameneoMessages>;
}
interface ChameneoMessages {
  meet(other: Visitor): void;
  change(color: Color): void;
  leave(): void;
}
interface MallMessages {
  visit(visitor: Visitor): void;
  met(times: number): void;
}

/** Two of a kind keep their color; two of different ones take the third. */
function complement(one: Color, other: Color): Color {
  return one === other ? one : ((3 - one - other) as Color);
}

export const Chameneo = defineActor(import.meta.url, {
  name: 'chameneo',
  state: (args: { mall: ActorRef<MallMessages>; color: Color }, actor: ActorContext) => {
    args.mall.tell('visit', { color: args.color, from: actor.self });
    return { ...args, met: 0 };
  },
  handlers: {
    meet(state, other: Visitor, actor) {
      state.color = complement(state.color, other.color);
      state.met++;
      other.from.tell('change', state.color);
      state.mall.tell('visit', { color: state.color, from: actor.self });
    },
    change(state, color: Color, actor) {
      state.color = color;
      state.met++;
      state.mall.tell('visit', { color, from: actor.self });
    },
    leave(state) {
      state.mall.tell('met', state.met);
    },
  },
});

export const Mall = defineActor(import.meta.url, {
  name: 'mall',
  isReentrant: true,
  state: (args: Cast<Parameters>) => ({
    ...args,
    meetingsLeft: args.parameters.meetings,
    inside: args.parameters.chameneos,
    met: 0,
    waiting: undefined as ActorRef<ChameneoMessages> | undefined,
    outcome: new Outcome<Facts>(),
  }),
  handlers: {
    async run({ parameters, contexts, outcome }, _: undefined, actor) {
      await spawnInTurn(parameters.chameneos, contexts, (options, i) =>
        actor.spawn(Chameneo, { mall: actor.self, color: (i % 3) as Color }, options),
      );
      return outcome.promise;
    },
    visit(state, visitor: Visitor) {
      if (state.meetingsLeft === 0) {
        visitor.from.tell('leave');
        // The one who waits now would wait for ever.
        state.waiting?.tell('leave');
        state.waiting = undefined;
      } else if (state.waiting === undefined) {
        state.waiting = visitor.from;
      } else {
        state.meetingsLeft--;
        state.waiting.tell('meet', visitor);
        state.waiting = undefined;
      }
    },
    met(state, times: number) {
      state.met += times;
      if (--state.inside === 0) state.outcome.resolve({ met: state.met });
    },
  },
});

/** Creatures that meet in pairs, by way of a mall. */
export const chameneos: SavinaBenchmark<Parameters> = {
  name: 'chameneos',
  metric: 'chameneos: 100 creatures, 200,000 meetings',
  parameters: {
    full: { chameneos: 100, meetings: 200_000 },
    quick: { chameneos: 100, meetings: 5000 },
    tiny: { chameneos: 5, meetings: 20 },
  },
  master: Mall,
  expected: ({ meetings }) => ({ met: 2 * meetings }),
};
