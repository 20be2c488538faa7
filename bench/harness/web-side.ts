/** What the sides of the benchmarks of web servers have in common: a site, a server of it, and wrk. */
import type { Handlers } from './role.js';
import { checkSite, makeSite, type SiteFolder } from './site.js';
import { runWrk } from './wrk.js';

/** What is asked for. */
export interface WebLoad {
  readonly fileBytes: number;
  readonly connections: number;
  readonly result: 'requests/s' | 'bytes/s';
}

/** A server that has been started. */
export interface StartedServer {
  readonly url: string;
  stop(): Promise<void>;
}

/** The handlers of a side whose server `start` starts, in another process than this one. */
export function webSide(load: WebLoad, start: (site: SiteFolder) => Promise<StartedServer>): Handlers {
  let site: SiteFolder;
  let server: StartedServer | undefined;
  return {
    setup: async () => {
      site = await makeSite(load.fileBytes);
      server = await start(site);
      await checkSite(server.url, site);
    },
    run: async (budgetMs: number) => {
      const url = server!.url;
      const { connections } = load;
      const answerBytes = site.lengthBytes;
      const { requests, seconds } = await runWrk(url + site.path, { budgetMs, connections, answerBytes });
      // After the load, too: what was wrong in between is likely to be wrong still.
      await checkSite(url, site);
      return (load.result === 'requests/s' ? requests : requests * answerBytes) / seconds;
    },
    teardown: async () => {
      await server?.stop();
      await site?.remove();
    },
  };
}
