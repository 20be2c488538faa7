/** The messages and sizes that both sides of a benchmark share. */

/** An object of 8 fields, as an application's message might look. */
export interface Order {
  id: number;
  account: string;
  symbol: string;
  side: string;
  price: number;
  quantity: number;
  urgent: boolean;
  note: string;
}

/** The order number `sequence`: a new object each time, as an application would make it. */
export function makeOrder(sequence: number): Order {
  return {
    id: sequence,
    account: 'acc-004711',
    symbol: 'HEDL',
    side: 'buy',
    price: 101.25,
    quantity: sequence & 1023,
    urgent: false,
    note: 'good till cancelled',
  };
}

/** Throws unless `order` is the order number `sequence`. */
export function checkOrder(order: Order, sequence: number): void {
  if (
    order.id !== sequence ||
    order.quantity !== (sequence & 1023) ||
    order.price !== 101.25 ||
    order.note.length !== 19 ||
    order.account.length !== 10
  ) {
    throw new Error(`wrong order: expected id=${sequence}, found ${JSON.stringify(order)}`);
  }
}

/** The question of the ask benchmarks. */
export interface Question {
  readonly id: number;
  readonly amount: number;
}

/** The answer of the ask benchmarks. */
export interface Answer {
  readonly id: number;
  readonly total: number;
}

export function answerQuestion(question: Question): Answer {
  return { id: question.id, total: question.amount + 1 };
}

/** Throws unless `answer` is that to the question number `id` whose amount was `2 * id`. */
export function checkAnswer(answer: Answer, id: number): void {
  if (answer.id !== id || answer.total !== 2 * id + 1) {
    throw new Error(`wrong answer: expected id=${id}, found ${JSON.stringify(answer)}`);
  }
}

/** `oversubscribed`: all pairs of this many contexts talk. */
export const oversubscribedContexts = 8;
/** `oversubscribed`: requests that each context keeps under way to each other one. */
export const oversubscribedWindow = 8;
/** `oversubscribed`: size of a request and of its response. */
export const oversubscribedBytes = 64;
/** `idle-cpu`: contexts that have nothing to do. */
export const idleContexts = 4;
/** `fan-in`: actors that send to one. */
export const fanInSenders = 8;
/** `fan-in`: messages that a sender sends before it waits until the receiver has taken them. */
export const fanInWindow = 1000;
/** `create`: actors that exist at once before they are stopped. */
export const createBatch = 1000;
