import { type ActorContext, type ActorRef, createRouter, defineActor, type Router } from 'heddle';
import type { CrawlerMessages, FetcherMessages, Manners, Page, Visit } from './messages.js';
import { isAllowed, noRobots, parseRobots, type Robots } from './robots.js';

export interface HostArguments {
  readonly origin: string;
  readonly crawler: ActorRef<CrawlerMessages>;
  readonly fetchers: readonly ActorRef<FetcherMessages>[];
  readonly manners: Manners;
}

interface Task {
  readonly url: string;
  readonly attempts: number;
}

interface State {
  readonly args: HostArguments;
  readonly fetchers: Router<FetcherMessages>;
  readonly robots: Robots;
  readonly intervalMs: number;
  readonly queue: Task[];
  inFlight: number;
  /** When the next request may go out. */
  nextMs: number;
  isWaiting: boolean;
}

const fetchTimeoutMs = 15_000;

/**
 * All that is asked of one host: not what its robots.txt forbids, not faster than its manners allow, not more at once than
 * it can take; and again, later, when it fails. What is to be visited before robots.txt is there waits in the mailbox.
 */
export const Host = defineActor(import.meta.url, {
  name: 'host',
  mailbox: { capacity: 100_000 },
  state: async (args: HostArguments): Promise<State> => {
    const fetchers = createRouter(args.fetchers, { strategy: 'least-loaded' });
    const page = await fetchers.ask('fetch', `${args.origin}/robots.txt`, { timeoutMs: fetchTimeoutMs });
    const robots = page.text === undefined ? noRobots : parseRobots(page.text);
    const intervalMs = Math.max(args.manners.intervalMs, robots.crawlDelayMs);
    return { args, fetchers, robots, intervalMs, queue: [], inFlight: 0, nextMs: 0, isWaiting: false };
  },
  handlers: {
    visit(state, url: string, actor: ActorContext) {
      if (isAllowed(state.robots, url)) enqueue(state, { url, attempts: 0 }, actor);
      else report(state, { url, outcome: 'disallowed', status: 0, attempts: 0, links: [] });
    },
    again: enqueue,
    proceed(state, _nothing: undefined, actor: ActorContext) {
      state.isWaiting = false;
      proceed(state, actor);
    },
    fetched(state, { task, page }: { task: Task; page: Page }, actor: ActorContext) {
      state.inFlight--;
      const { url } = task;
      const attempts = task.attempts + 1;
      const { status, links } = page;
      const { maximumAttempts, backoffMs } = state.args.manners;
      const isHostsFault = status === 0 || status === 429 || status >= 500;
      if (isHostsFault && attempts < maximumAttempts) {
        actor.sendLater(backoffMs * 2 ** (attempts - 1), actor.self, 'again', { url, attempts });
      } else {
        const outcome = isHostsFault ? 'failed' : status >= 400 ? 'missing' : 'fetched';
        report(state, { url, outcome, status, attempts, links });
      }
      proceed(state, actor);
    },
  },
});

function enqueue(state: State, task: Task, actor: ActorContext): void {
  state.queue.push(task);
  proceed(state, actor);
}

/** Sends out what may go out now, and comes back when more may. */
function proceed(state: State, actor: ActorContext): void {
  while (state.queue.length > 0 && state.inFlight < state.args.manners.maximumInFlight && !state.isWaiting) {
    const waitMs = state.nextMs - actor.nowMs;
    if (waitMs > 0) {
      state.isWaiting = true;
      actor.sendLater(waitMs, actor.self, 'proceed');
      return;
    }
    state.nextMs = actor.nowMs + state.intervalMs;
    state.inFlight++;
    void request(state, state.queue.shift() as Task, actor);
  }
}

/** Asks a fetcher, and tells this actor what came of it: the handler does not wait, so that others can have their turn. */
async function request(state: State, task: Task, actor: ActorContext): Promise<void> {
  let page: Page;
  try {
    page = await state.fetchers.ask('fetch', task.url, { timeoutMs: fetchTimeoutMs });
  } catch (error) {
    page = { status: 0, links: [], error: String(error) };
  }
  actor.self.tell('fetched', { task, page });
}

function report(state: State, visit: Visit): void {
  state.args.crawler.tell('visited', visit);
}
