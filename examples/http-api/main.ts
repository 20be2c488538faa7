/** An HTTP API whose requests fan out to actors on all cores: shards by consistent hash, a pool, scatter and gather. */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { startApi } from './api.js';

const { values } = parseArgs({
  options: {
    host: { type: 'string', default: '127.0.0.1' },
    port: { type: 'string', default: '8080' },
    contexts: { type: 'string', default: String(availableParallelism()) },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) {
  console.log('npm run example -- http-api [--port 8080] [--host 127.0.0.1] [--contexts <threads>]');
} else {
  try {
    await main();
  } catch (error) {
    console.error(`the API cannot start: ${(error as Error).message}`);
    process.exitCode = 1;
  }
}

async function main(): Promise<void> {
  const { host, port, contexts } = values;
  const { system, url } = await startApi({ host, port: Number(port), contexts: Number(contexts) });
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
}
