import { type ActorContext, type ActorRef, defineActor } from '../../src/index.js';
import {
  type Cast,
  type Facts,
  Outcome,
  patient,
  RandomNumbers,
  type SavinaBenchmark,
  spawnInTurn,
  whenReady,
} from './savina.js';

interface Parameters {
  readonly accounts: number;
  readonly transactions: number;
}
interface Transfer {
  readonly amount: number;
  readonly to: ActorRef<AccountMessages>;
}
interface AccountMessages {
  transfer(transfer: Transfer): void;
  deposit(amount: number): void;
  balance(): number;
}
interface TellerMessages {
  transferred(amount: number): void;
}

const initialBalance = 1_000_000;

/** The transfers: always from a lower account to a higher one, so that no two wait for each other. */
function* transfersOf({ accounts, transactions }: Parameters) {
  const random = new RandomNumbers(123_456);
  for (let i = 0; i < transactions; i++) {
    const from = random.below(Math.floor(accounts / 10) * 8);
    const to = from + 1 + random.below(accounts - from - 1);
    yield { from, to, amount: 1 + random.below(1000) };
  }
}

export const Account = defineActor(import.meta.url, {
  name: 'account',
  state: (args: { teller: ActorRef<TellerMessages> }) => ({ ...args, balance: initialBalance }),
  handlers: {
    /** Is not done, and takes no other message, until the other account has the money. */
    async transfer(state, { amount, to }: Transfer) {
      state.balance -= amount;
      await to.ask('deposit', amount, patient);
      return whenReady(state.teller.tell('transferred', amount), state.teller);
    },
    deposit(state, amount: number) {
      state.balance += amount;
    },
    balance: ({ balance }) => balance,
  },
});

export const Teller = defineActor(import.meta.url, {
  name: 'teller',
  isReentrant: true,
  state: async ({ parameters, contexts }: Cast<Parameters>, actor: ActorContext) => ({
    parameters,
    left: parameters.transactions,
    amount: 0,
    outcome: new Outcome<void>(),
    accounts: await spawnInTurn(parameters.accounts, contexts, (options) =>
      actor.spawn(Account, { teller: actor.self }, options),
    ),
  }),
  handlers: {
    async run(state): Promise<Facts> {
      const { parameters, accounts, outcome } = state;
      for (const { from, to, amount } of transfersOf(parameters)) {
        const account = accounts[from]!;
        if (!account.tell('transfer', { amount, to: accounts[to]! })) await account.ready();
      }
      await outcome.promise;
      const balances = await Promise.all(accounts.map((account) => account.ask('balance', undefined, patient)));
      return { amount: state.amount, ...balanceFacts(balances) };
    },
    transferred(state, amount: number) {
      state.amount += amount;
      if (--state.left === 0) state.outcome.resolve();
    },
  },
});

function balanceFacts(balances: readonly number[]): Facts {
  return {
    total: balances.reduce((sum, balance) => sum + balance, 0),
    // Weighted by the account: money on the wrong one shows.
    weighted: balances.reduce((sum, balance, i) => sum + (balance - initialBalance) * i, 0),
  };
}

/** Transfers between accounts of which both sides are actors. */
export const bankTransaction: SavinaBenchmark<Parameters> = {
  name: 'bank-transaction',
  metric: 'bank transaction: 1000 accounts, 50,000 transfers',
  parameters: {
    full: { accounts: 1000, transactions: 50_000 },
    quick: { accounts: 1000, transactions: 2000 },
    tiny: { accounts: 20, transactions: 50 },
  },
  master: Teller,
  expected: (parameters) => {
    const balances = new Array<number>(parameters.accounts).fill(initialBalance);
    let total = 0;
    for (const { from, to, amount } of transfersOf(parameters)) {
      balances[from]! -= amount;
      balances[to]! += amount;
      total += amount;
    }
    return { amount: total, ...balanceFacts(balances) };
  },
};
