import { type ActorContext, type ActorRef, defineActor } from '../../src/index.js';
import {
  type Cast,
  type Facts,
  inTurn,
  Outcome,
  rounded,
  type SavinaBenchmark,
  type ValueMessages,
  whenReady,
} from './savina.js';

interface Parameters {
  /** Taps of each filter, and the rate at which its output is sampled. */
  readonly columns: number;
  readonly values: number;
  readonly channels: number;
}
interface ChannelMessages {
  value(message: { channel: number; value: number }): void;
}

const sourceValue = (index: number): number => index % 1000;

/** The taps of the two filters of a channel: the suite's own formulas. */
const firstTaps = (channel: number, { columns, channels }: Parameters): Float64Array =>
  Float64Array.from({ length: columns }, (_, i) => i * columns + channel * channels + channel + i + channel + 1);
const secondTaps = (channel: number, { columns }: Parameters): Float64Array =>
  Float64Array.from({ length: columns }, (_, i) => i * channel + channel * channel + channel + i);

/** Values that a channel brings out: each of its filters has to be full once. */
const resultsOf = ({ values, columns }: Parameters): number => Math.max(0, values - 2 * (columns - 1));

export const Delay = defineActor(import.meta.url, {
  name: 'delay',
  state: (args: { length: number; next: ActorRef<ValueMessages> }) => ({
    ...args,
    held: new Float64Array(args.length),
    at: 0,
  }),
  handlers: {
    value(state, value: number) {
      const { held, at, next } = state;
      const before = held[at]!;
      held[at] = value;
      state.at = at + 1 === held.length ? 0 : at + 1;
      return whenReady(next.tell('value', before), next);
    },
  },
});

export const FirFilter = defineActor(import.meta.url, {
  name: 'fir-filter',
  state: (args: { taps: Float64Array; next: ActorRef<ValueMessages> }) => ({
    ...args,
    data: new Float64Array(args.taps.length),
    at: 0,
    isFull: false,
  }),
  handlers: {
    value(state, value: number) {
      const { data, taps, next } = state;
      data[state.at++] = value;
      if (state.at === data.length) {
        state.isFull = true;
        state.at = 0;
      }
      if (!state.isFull) return;
      let sum = 0;
      for (let i = 0, last = data.length - 1; i <= last; i++) sum += data[i]! * taps[last - i]!;
      return whenReady(next.tell('value', sum), next);
    },
  },
});

export const Sampler = defineActor(import.meta.url, {
  name: 'sampler',
  state: (args: { rate: number; next: ActorRef<ValueMessages> }) => ({ ...args, taken: 0 }),
  handlers: {
    value(state, value: number) {
      const { next, rate } = state;
      const isSample = state.taken === 0;
      state.taken = (state.taken + 1) % rate;
      return whenReady(next.tell('value', isSample ? value : 0), next);
    },
  },
});

/** Says which channel a value is from. */
export const Tagger = defineActor(import.meta.url, {
  name: 'tagger',
  state: (args: { channel: number; next: ActorRef<ChannelMessages> }) => args,
  handlers: {
    value: ({ channel, next }, value: number) => whenReady(next.tell('value', { channel, value }), next),
  },
});

/** Waits for a value of each channel, and passes their sum on. */
export const Integrator = defineActor(import.meta.url, {
  name: 'integrator',
  state: (args: { channels: number; next: ActorRef<ValueMessages> }) => ({
    ...args,
    waiting: Array.from({ length: args.channels }, () => [] as number[]),
  }),
  handlers: {
    value(state, { channel, value }: { channel: number; value: number }) {
      const { waiting, next } = state;
      waiting[channel]!.push(value);
      if (!waiting.every((values) => values.length > 0)) return;
      let sum = 0;
      for (const values of waiting) sum += values.shift()!;
      return whenReady(next.tell('value', sum), next);
    },
  },
});

export const Master = defineActor(import.meta.url, {
  name: 'master',
  isReentrant: true,
  state: async ({ parameters, contexts }: Cast<Parameters>, actor: ActorContext) => {
    const { columns, channels } = parameters;
    const integrator = actor.spawnHere(Integrator, { channels, next: actor.self });
    const banks = await Promise.all(
      Array.from({ length: channels }, async (_, channel) => {
        const on = inTurn(channel, contexts);
        const tagger = await actor.spawn(Tagger, { channel, next: integrator }, { on });
        const second = await actor.spawn(FirFilter, { taps: secondTaps(channel, parameters), next: tagger }, { on });
        const secondDelay = await actor.spawn(Delay, { length: columns - 1, next: second }, { on });
        const sampler = await actor.spawn(Sampler, { rate: columns, next: secondDelay }, { on });
        const first = await actor.spawn(FirFilter, { taps: firstTaps(channel, parameters), next: sampler }, { on });
        return actor.spawn(Delay, { length: columns - 1, next: first }, { on });
      }),
    );
    return { parameters, banks, results: 0, sum: 0, outcome: new Outcome<Facts>() };
  },
  handlers: {
    async run({ parameters, banks, outcome }) {
      for (let i = 0; i < parameters.values; i++) {
        for (const bank of banks) if (!bank.tell('value', sourceValue(i))) await bank.ready();
      }
      return outcome.promise;
    },
    value(state, value: number) {
      state.sum += value;
      if (++state.results < resultsOf(state.parameters)) return;
      state.outcome.resolve({ results: state.results, sum: rounded(state.sum) });
    },
  },
});

/** The signal that goes into a channel's filter at `index`: a delay of zeros, then the values. */
function expectedSum(parameters: Parameters): number {
  const { columns, channels, values } = parameters;
  const delayed = (signal: Float64Array): Float64Array => {
    const result = new Float64Array(signal.length);
    result.set(signal.subarray(0, Math.max(0, signal.length - (columns - 1))), Math.min(columns - 1, signal.length));
    return result;
  };
  const source = delayed(Float64Array.from({ length: values }, (_, i) => sourceValue(i)));
  let sum = 0;
  for (let channel = 0; channel < channels; channel++) {
    const taps = firstTaps(channel, parameters);
    const sampled = new Float64Array(values - columns + 1);
    for (let at = 0; at < sampled.length; at += columns) {
      for (let i = 0; i < columns; i++)
        sampled[at] = sampled[at]! + ringAt(source, at + columns - 1, i, columns) * taps[columns - 1 - i]!;
    }
    const input = delayed(sampled);
    const second = secondTaps(channel, parameters);
    for (let last = columns - 1; last < input.length; last++) {
      // Nearly all of the samples are zero.
      for (let at = last - columns + 1; at <= last; at++) {
        if (input[at] !== 0) sum += input[at]! * second[columns - 1 - (at % columns)]!;
      }
    }
  }
  return sum;
}

/** What lies at `place` of a ring of `length` into which the signal has gone up to `last`. */
function ringAt(signal: Float64Array, last: number, place: number, length: number): number {
  const newest = last % length;
  return signal[place <= newest ? last - (newest - place) : last - newest - (length - place)]!;
}

/** Channels of filters, delays and samplers, whose results are summed up. */
export const filterBank: SavinaBenchmark<Parameters> = {
  name: 'filter-bank',
  metric: 'filter bank: 8 channels with filters of 16,384 taps, 34,816 values',
  parameters: {
    full: { columns: 16_384, values: 34_816, channels: 8 },
    quick: { columns: 64, values: 250, channels: 8 },
    tiny: { columns: 8, values: 30, channels: 3 },
  },
  master: Master,
  expected: (parameters) => ({ results: resultsOf(parameters), sum: rounded(expectedSum(parameters)) }),
};
