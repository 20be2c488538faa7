import { type Benchmark, ratioGoal } from '../harness/benchmark.js';
import { oursSide } from '../ours/index.js';
import { cafFanInSide } from '../peers/caf.js';
import { erlangSide } from '../peers/erlang.js';
import { comlinkCall, piscinaRun, postMessageFlood } from '../peers/index.js';

/** Objects from an actor of one context to an actor of another. */
export const actorTellCross: Benchmark = {
  id: 'actor-tell-cross',
  metric: 'flood of 8-field objects between contexts',
  unit: 'messages/s',
  higherIsBetter: true,
  ours: oursSide('actor-tell-cross'),
  peers: [
    { side: postMessageFlood('postMessage of the object', 0), goal: ratioGoal(3, 6) },
    { side: erlangSide('Erlang processes on two schedulers', 'flood', 2), goal: ratioGoal(0.5, 1) },
  ],
};

/** A question to an actor of another context. */
export const actorAskCross: Benchmark = {
  id: 'actor-ask-cross',
  metric: 'p50 of an ask to another context, hot',
  unit: 'µs',
  higherIsBetter: false,
  ours: oursSide('actor-ask-cross'),
  peers: [
    { side: comlinkCall(), goal: ratioGoal(5, 10) },
    { side: piscinaRun(), goal: ratioGoal(4, 8) },
  ],
};

/** Many actors that send to one. */
export const fanIn: Benchmark = {
  id: 'fan-in',
  metric: '8 senders to one actor',
  unit: 'messages/s',
  higherIsBetter: true,
  ours: oursSide('fan-in'),
  peers: [
    { side: erlangSide('Erlang 25', 'fan_in', 2), goal: ratioGoal(1, 2) },
    { side: cafFanInSide('CAF 0.17'), goal: ratioGoal(0.8, 1.5) },
  ],
};
