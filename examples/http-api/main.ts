/** An HTTP API whose requests fan out to actors on all cores: shards by consistent hash, a pool, scatter and gather. */
import { availableParallelism } from 'node:os';
import { integerOf, runCommand } from '../command-line.js';
import { startApi } from './api.js';

const help = 'npm run example -- http-api [--port 8080] [--host 127.0.0.1] [--contexts <threads>]';
const config = {
  options: {
    host: { type: 'string', default: '127.0.0.1' },
    port: { type: 'string', default: '8080' },
    contexts: { type: 'string', default: String(availableParallelism()) },
  },
} as const;

await runCommand(help, config, async ({ values }) => {
  const { host, port, contexts } = values;
  const { system, url } = await startApi({
    host,
    port: integerOf('port', port, 0, 65_535),
    contexts: integerOf('contexts', contexts, 0, 1024),
  });
  const actors = Object.entries(system.actorCounts).map(([name, count]) => `${count} in ${name}`);
  console.log(`serving at ${url}, by actors: ${actors.join(', ')}`);
  console.log(`
  curl -d '{"by": 5}' ${url}/items/apples     # adds to an item, at the shard that has it
  curl ${url}/items/apples
  curl '${url}/search?text=app'               # asks all shards
  curl '${url}/primes?below=100000'           # asks the least busy of a pool
  curl ${url}/health

end it with Ctrl-C: what is under way is answered first`);
  system.onShutdown('after-contexts', () => console.log('all requests are answered, all threads have ended'));
});
