import { defineActor, Refusal } from 'heddle';

export interface Item {
  readonly id: string;
  readonly count: number;
}

const maximumItems = 100_000;

/** A share of the stock: whatever happens to one item happens in one actor, one message after another. */
export const Shard = defineActor(import.meta.url, {
  name: 'shard',
  mailbox: { capacity: 4096 },
  state: () => ({ counts: new Map<string, number>() }),
  handlers: {
    /** Adds to an item, or takes from it; the reply is what is left. */
    add(state, { id, by }: { id: string; by: number }): Item {
      const before = state.counts.get(id);
      if (before === undefined && state.counts.size >= maximumItems)
        throw new Refusal('there is no room for new items');
      const count = (before ?? 0) + by;
      if (count < 0) throw new Refusal(`there are only ${before ?? 0} of ${id}`);
      state.counts.set(id, count);
      return { id, count };
    },
    get(state, { id }: { id: string }): Item | undefined {
      const count = state.counts.get(id);
      return count === undefined ? undefined : { id, count };
    },
    /** The items whose names hold the text, those with the highest counts first, at most `limit`. */
    search(state, { text, limit }: { text: string; limit: number }): Item[] {
      const found: Item[] = [];
      for (const [id, count] of state.counts) if (id.includes(text)) found.push({ id, count });
      return topItems(found, limit);
    },
  },
});

export function topItems(items: readonly Item[], limit: number): Item[] {
  return [...items].sort((a, b) => b.count - a.count || (a.id < b.id ? -1 : 1)).slice(0, limit);
}

/** Computes for long. Few wait for each: the others are told at once to come back later. */
export const Mathematician = defineActor(import.meta.url, {
  name: 'mathematician',
  mailbox: { capacity: 32 },
  state: () => ({}),
  handlers: {
    primesBelow(_state, limit: number): number {
      let primes = 0;
      for (let candidate = 2; candidate < limit; candidate++) if (isPrime(candidate)) primes++;
      return primes;
    },
  },
});

function isPrime(candidate: number): boolean {
  for (let divisor = 2; divisor * divisor <= candidate; divisor++) if (candidate % divisor === 0) return false;
  return true;
}
