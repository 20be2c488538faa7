/** A static web server that answers from memory where the request arrives, as the Adaptive Fast Path Architecture did. */
import { fileURLToPath } from 'node:url';
import { createSystem } from 'heddle';
import { integerOf, runCommand } from '../command-line.js';
import { WebServer } from './web-server.js';

const help = `npm run example -- web-cache [folder] [--port 8080] [--host 127.0.0.1] [--memory-mib 64]

Serves the files below the folder, its own small site when none is given, until it gets SIGINT or SIGTERM.
`;

const config = {
  allowPositionals: true,
  options: {
    port: { type: 'string', default: '8080' },
    host: { type: 'string', default: '127.0.0.1' },
    'memory-mib': { type: 'string', default: '64' },
  },
} as const;

await runCommand(help, config, async ({ values, positionals }) => {
  // Seen from dist/examples/web-cache/, where this file runs.
  const ownSite = fileURLToPath(new URL('../../../examples/web-cache/site/', import.meta.url));
  const folder = positionals[0] ?? ownSite;
  const { host } = values;
  const system = await createSystem({ contexts: [{ name: 'files' }], signals: ['SIGINT', 'SIGTERM'] });
  const server = await WebServer.start(system, {
    folder,
    host,
    port: integerOf('port', values.port, 0, 65_535),
    memoryBytes: integerOf('memory-mib', values['memory-mib'], 1, 65_536) * 2 ** 20,
    fileContext: 'files',
  });
  system.onShutdown('before-actors', async () => {
    await server.close();
    const { hits, misses, partialRequests, headCopies } = server.counts;
    console.log(
      `${hits} hits, ${misses} misses, ${partialRequests} partial requests, ${headCopies} copied heads, ` +
        `${server.cache.evictions} evictions`,
    );
  });
  console.log(`serving ${folder} at http://${host}:${server.port}/`);
});
