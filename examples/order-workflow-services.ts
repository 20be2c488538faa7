import { defineActor, Refusal } from 'heddle';

/** Is busy at first, and lends nobody money. */
export const Bank = defineActor(import.meta.url, {
  name: 'bank',
  state: () => ({ calls: 0 }),
  handlers: {
    charge(state, { id, amount }: { readonly id: string; readonly amount: number }) {
      if (amount > 1000) throw new Refusal('insufficient funds');
      if (++state.calls <= 2) throw new Refusal('busy, try again');
      return `receipt for ${amount} of ${id}`;
    },
  },
});

/** Loses the first parcel, and never says so. */
export const Carrier = defineActor(import.meta.url, {
  name: 'carrier',
  isReentrant: true,
  state: () => ({ calls: 0 }),
  handlers: {
    ship(state, id: string) {
      return ++state.calls === 1 ? new Promise<string>(() => {}) : `${id} on truck ${state.calls}`;
    },
  },
});
