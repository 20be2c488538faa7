import { type Benchmark, ratioGoal } from '../harness/benchmark.js';
import { oursSide } from '../ours/index.js';
import { erlangSide } from '../peers/erlang.js';
import { nact } from '../peers/index.js';

/** Two actors of one context of which each sends when it has received. */
export const actorTellLocal: Benchmark = {
  id: 'actor-tell-local',
  metric: 'ping pong inside one context',
  unit: 'messages/s',
  higherIsBetter: true,
  ours: oursSide('actor-tell-local'),
  peers: [
    { side: nact('ping-pong'), goal: ratioGoal(4, 8) },
    { side: erlangSide('Erlang 25', 'ping_pong', 1), goal: ratioGoal(1.5, 3) },
  ],
};

/** Actors that are created, handle one message and are stopped, 1000 at once. One scheduler is Erlang's fastest way. */
export const create: Benchmark = {
  id: 'create',
  metric: 'actors created and stopped',
  unit: 'actors/s',
  higherIsBetter: true,
  ours: oursSide('create'),
  peers: [
    { side: erlangSide('Erlang 25', 'create', 1), goal: ratioGoal(0.5, 1) },
    { side: nact('create'), goal: ratioGoal(3, 6) },
  ],
};
