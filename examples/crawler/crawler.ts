import { type ActorContext, type ActorRef, defineActor } from 'heddle';
import { Host } from './host.js';
import type { FetcherMessages, HostMessages, Manners, Outcome, Visit } from './messages.js';

export interface CrawlerArguments {
  readonly fetchers: readonly ActorRef<FetcherMessages>[];
  readonly manners: Manners;
  readonly maximumPages: number;
}

/** What a crawl found. */
export interface Report {
  readonly visits: readonly Visit[];
  /** Links to pages that were known already. */
  readonly knownLinks: number;
  /** Links to hosts that the crawl did not begin with. */
  readonly foreignLinks: number;
  /** Pages that were one too many. */
  readonly leftOut: number;
}

interface State extends CrawlerArguments {
  readonly seen: Set<string>;
  /** Pages that a host has been given, by the origin of that. */
  readonly pending: Map<string, string>;
  readonly hosts: Map<string, Promise<ActorRef<HostMessages>>>;
  readonly visits: Visit[];
  knownLinks: number;
  foreignLinks: number;
  leftOut: number;
  onDone: (() => void) | undefined;
}

/** Knows every page that was found, gives each to its host once, and is done when all of them have been visited. */
export const Crawler = defineActor(import.meta.url, {
  name: 'crawler',
  isReentrant: true,
  mailbox: { capacity: 100_000 },
  // What a host had to do is lost when it fails: it is not restarted, and its pages count as failed.
  supervision: { decide: () => 'stop' },
  state: (args: CrawlerArguments): State => ({
    ...args,
    seen: new Set(),
    pending: new Map(),
    hosts: new Map(),
    visits: [],
    knownLinks: 0,
    foreignLinks: 0,
    leftOut: 0,
    onDone: undefined,
  }),
  handlers: {
    async crawl(state, seeds: readonly string[], actor: ActorContext): Promise<Report> {
      for (const seed of seeds) {
        const { origin } = new URL(seed);
        if (!state.hosts.has(origin)) state.hosts.set(origin, addHost(state, origin, actor));
      }
      await Promise.all(state.hosts.values());
      const done = new Promise<void>((resolve) => {
        state.onDone = resolve;
      });
      for (const seed of seeds) await follow(state, new URL(seed).href);
      finish(state);
      await done;
      const { visits, knownLinks, foreignLinks, leftOut } = state;
      return { visits, knownLinks, foreignLinks, leftOut };
    },
    async visited(state, visit: Visit) {
      if (state.pending.get(visit.url) === undefined) return;
      for (const link of visit.links) await follow(state, link);
      state.pending.delete(visit.url);
      state.visits.push(visit);
      finish(state);
    },
  },
  async onTerminated(state, { ref }) {
    for (const [origin, host] of state.hosts) {
      if (!(await host).equals(ref)) continue;
      for (const [url, pendingAt] of state.pending) {
        if (pendingAt !== origin) continue;
        state.pending.delete(url);
        state.visits.push({ url, outcome: 'failed', status: 0, attempts: 0, links: [] });
      }
    }
    finish(state);
  },
});

async function addHost(state: State, origin: string, actor: ActorContext): Promise<ActorRef<HostMessages>> {
  const { fetchers, manners } = state;
  const host = await actor.spawn(Host, { origin, crawler: actor.self, fetchers, manners }, { on: { key: origin } });
  actor.watch(host);
  return host;
}

/** Hands a page on to its host, unless it is known, of a host that is not ours, or one too many. */
async function follow(state: State, link: string): Promise<void> {
  const { origin } = new URL(link);
  const host = state.hosts.get(origin);
  if (host === undefined) {
    state.foreignLinks++;
    return;
  }
  if (state.seen.has(link)) {
    state.knownLinks++;
    return;
  }
  state.seen.add(link);
  if (state.seen.size > state.maximumPages) {
    state.leftOut++;
    return;
  }
  state.pending.set(link, origin);
  const ref = await host;
  if (!ref.tell('visit', link)) await ref.ready();
}

function finish(state: State): void {
  if (state.pending.size === 0) state.onDone?.();
}

/** How many visits ended in each way. */
export function countOutcomes(visits: readonly Visit[]): Record<Outcome, number> {
  const counts = { fetched: 0, missing: 0, failed: 0, disallowed: 0 };
  for (const { outcome } of visits) counts[outcome]++;
  return counts;
}
