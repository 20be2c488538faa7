import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A site of two hosts to crawl, which knows what a polite and thorough crawler must find. */
export interface Site {
  readonly seed: string;
  readonly origins: readonly string[];
  /** What must have been fetched, once each. */
  readonly pages: readonly string[];
  readonly disallowed: readonly string[];
  readonly missing: readonly string[];
  readonly broken: readonly string[];
  /** Pages that fail at first. */
  readonly flaky: readonly string[];
  /** How often each address was asked for. */
  readonly requests: ReadonlyMap<string, number>;
  /** The most requests that a host had at once. */
  readonly mostAtOnce: () => number;
  close(): Promise<void>;
}

const robots = 'User-agent: somebody-else\nDisallow: /\n\nUser-agent: *\nDisallow: /private/ # not for crawlers\n';
/** How long a page takes: long enough for several requests to meet. */
const pageMs = 15;
const failuresOfFlaky = 2;

/** Starts the site on free ports of this machine, with `pageCount` pages on each of its hosts. */
export async function startSite(pageCount = 20): Promise<Site> {
  const requests = new Map<string, number>();
  let mostAtOnce = 0;
  const origins: string[] = [];

  function html(origin: string, number: number): string {
    const other = origins.find((one) => one !== origin);
    const links = [
      `/page/${(2 * number) % pageCount}`,
      `../page/${(2 * number + 1) % pageCount}#section`,
      `${other}/page/${number}`,
      '/private/diary',
      '/missing',
      '/broken',
      `/flaky/${number % 3}`,
      '/old',
      'http://example.invalid/elsewhere',
      'mailto:ada@example.invalid',
    ];
    return links.map((link) => `<p><a class="link" href="${link}">${link}</a></p>`).join('\n');
  }

  function answer(origin: string, path: string, time: number): [status: number, type: string, body: string] {
    const [, folder, rest] = path.split('/');
    if (path === '/robots.txt') return [200, 'text/plain', robots];
    if (path === '/') return [200, 'text/html', html(origin, 1)];
    if (folder === 'page') return [200, 'text/html', html(origin, Number(rest))];
    if (folder === 'private') return [200, 'text/html', 'not for crawlers'];
    if (path === '/broken') return [500, 'text/html', 'out of order'];
    if (path === '/old') return [301, 'text/html', ''];
    if (folder === 'flaky') {
      return time <= failuresOfFlaky ? [503, 'text/html', 'come back later'] : [200, 'text/html', 'at last'];
    }
    return [404, 'text/html', 'no such page'];
  }

  function makeHost(): Server {
    let atOnce = 0;
    const server = createServer((request, response) => {
      const origin = `http://${request.headers.host}`;
      const url = `${origin}${request.url}`;
      const time = (requests.get(url) ?? 0) + 1;
      requests.set(url, time);
      atOnce++;
      mostAtOnce = Math.max(mostAtOnce, atOnce);
      const [status, type, body] = answer(origin, request.url ?? '', time);
      setTimeout(() => {
        atOnce--;
        response.writeHead(status, { 'content-type': type, ...(status === 301 && { location: '/page/0' }) }).end(body);
      }, pageMs);
    });
    return server;
  }

  const servers = [makeHost(), makeHost()];
  for (const server of servers) {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    origins.push(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  }
  const everywhere = (...paths: string[]) => origins.flatMap((origin) => paths.map((path) => `${origin}${path}`));
  const flaky = everywhere('/flaky/0', '/flaky/1', '/flaky/2');
  const numbered = everywhere(...Array.from({ length: pageCount }, (_, number) => `/page/${number}`));
  return {
    seed: `${origins[0]}/`,
    origins,
    pages: [`${origins[0]}/`, ...numbered, ...flaky, ...everywhere('/old')].sort(),
    disallowed: everywhere('/private/diary').sort(),
    missing: everywhere('/missing').sort(),
    broken: everywhere('/broken').sort(),
    flaky,
    requests,
    mostAtOnce: () => mostAtOnce,
    async close() {
      for (const server of servers) {
        server.close();
        server.closeAllConnections();
        await once(server, 'close');
      }
    },
  };
}
