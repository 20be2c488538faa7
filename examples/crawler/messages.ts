/** What came of fetching one address. `status` 0: nothing, for the reason in `error`. */
export interface Page {
  readonly status: number;
  /** Absolute, without fragments, each once. */
  readonly links: readonly string[];
  /** The body where that is short and plain text: robots.txt. */
  readonly text?: string;
  readonly error?: string;
}

export interface FetcherMessages {
  fetch(url: string): Page;
}

export interface HostMessages {
  visit(url: string): void;
}

export type Outcome = 'fetched' | 'missing' | 'failed' | 'disallowed';

export interface Visit {
  readonly url: string;
  readonly outcome: Outcome;
  readonly status: number;
  /** How often it was asked for. */
  readonly attempts: number;
  readonly links: readonly string[];
}

export interface CrawlerMessages {
  visited(visit: Visit): void;
}

/** How considerate the crawler is towards each host. */
export interface Manners {
  /** Between two requests, unless robots.txt asks for more. */
  readonly intervalMs: number;
  /** Requests without an answer yet. */
  readonly maximumInFlight: number;
  /** How often a page is asked for when the host fails. */
  readonly maximumAttempts: number;
  /** Pause before the second attempt; doubles with each further one. */
  readonly backoffMs: number;
}
