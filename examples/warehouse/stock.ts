import { type ActorRef, defineActor } from 'heddle';

/** What a shop hears of: it takes news of what runs low. */
export interface ShopMessages {
  low(item: string): void;
}

/** One order. Its number tells it from all others. */
export interface Order {
  readonly number: number;
  readonly item: string;
}

/** The stock of a warehouse: takes orders, and tells the shops that follow it what runs low. */
export const Stock = defineActor(import.meta.url, {
  name: 'stock',
  state: (args: { items: Record<string, number>; lowBelow: number }) => ({
    left: new Map(Object.entries(args.items)),
    lowBelow: args.lowBelow,
    orders: [] as number[],
    shops: [] as ActorRef<ShopMessages>[],
  }),
  handlers: {
    follow(state, shop: ActorRef<ShopMessages>) {
      state.shops.push(shop);
    },
    place(state, { number, item }: Order) {
      const left = (state.left.get(item) ?? 0) - 1;
      state.left.set(item, left);
      state.orders.push(number);
      if (left === state.lowBelow - 1) for (const shop of state.shops) shop.tell('low', item);
    },
    /** How many of an item are left, and how many orders there were. */
    report(state, item: string) {
      return { left: state.left.get(item) ?? 0, orders: state.orders.length };
    },
  },
});

/** A shop, in whichever process: remembers what it was told runs low. */
export const Shop = defineActor(import.meta.url, {
  name: 'shop',
  state: () => ({ low: [] as string[], waiting: [] as ((item: string) => void)[] }),
  isReentrant: true,
  handlers: {
    low(state, item: string) {
      state.low.push(item);
      for (const resolve of state.waiting.splice(0)) resolve(item);
    },
    /** Replies with the first item that runs low, once there is one. */
    firstLow(state) {
      return state.low[0] ?? new Promise<string>((resolve) => state.waiting.push(resolve));
    },
  },
});
