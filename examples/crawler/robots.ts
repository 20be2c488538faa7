/** What a host's robots.txt says to everybody. */
export interface Robots {
  readonly disallowed: readonly string[];
  readonly crawlDelayMs: number;
}

export const noRobots: Robots = { disallowed: [], crawlDelayMs: 0 };

/** Reads the rules for `User-agent: *`: the paths that are off limits, and the pause that is asked for. */
export function parseRobots(text: string): Robots {
  const disallowed: string[] = [];
  let crawlDelayMs = 0;
  let isForUs = false;
  let isInAgents = false;
  for (const line of text.split(/\r?\n/)) {
    const [, field = '', value = ''] = /^\s*([\w-]+)\s*:\s*([^#]*?)\s*(?:#.*)?$/.exec(line) ?? [];
    const name = field.toLowerCase();
    if (name === 'user-agent') {
      isForUs = value === '*' || (isInAgents && isForUs);
      isInAgents = true;
      continue;
    }
    if (name !== '') isInAgents = false;
    if (!isForUs) continue;
    if (name === 'disallow' && value !== '') disallowed.push(value);
    if (name === 'crawl-delay' && Number(value) > 0) crawlDelayMs = Number(value) * 1000;
  }
  return { disallowed, crawlDelayMs };
}

export function isAllowed({ disallowed }: Robots, url: string): boolean {
  const { pathname, search } = new URL(url);
  return !disallowed.some((prefix) => `${pathname}${search}`.startsWith(prefix));
}
