/** A web server with hooks, after RDMA-enabled Apache: heads by HTTP, bodies by RDMA to clients that can take them. */
import { fileURLToPath } from 'node:url';
import type { parseArgs } from 'node:util';
import { createNode } from 'heddle';
import { integerOf, portalOf, runCommand, UsageError } from '../command-line.js';
import { RdmaClient } from './client.js';
import { download } from './get.js';
import { load } from './load.js';
import type { TransferMode } from './rdma-header.js';
import { Httpd } from './server.js';

const help = `npm run example -- rdma-httpd [serve] [folder] [--port 8081] [--host 127.0.0.1] [--workers 2]
npm run example -- rdma-httpd get <url> [--into .] [--recursive] [--by tcp://127.0.0.1:0] [--mode client-reads]
npm run example -- rdma-httpd load <url> [--requests 1000] [--connections 4] [--by ...] [--mode ...]

serve  serves the files below the folder (node_modules when none is given), until SIGINT or SIGTERM
get    downloads a file, or with --recursive all that is below a URL that ends in /
load   asks for a URL again and again, and says how fast it was answered

--by   where the client waits for the server's RDMA session: tcp://, or rdma:// with the address of an interface
--mode server-writes (into the client's memory) or client-reads (from the server's)
`;

const config = {
  allowPositionals: true,
  options: {
    port: { type: 'string', default: '8081' },
    host: { type: 'string', default: '127.0.0.1' },
    workers: { type: 'string', default: '2' },
    into: { type: 'string', default: '.' },
    recursive: { type: 'boolean', default: false },
    by: { type: 'string', default: 'tcp://127.0.0.1:0' },
    mode: { type: 'string', default: 'server-writes' },
    requests: { type: 'string', default: '1000' },
    connections: { type: 'string', default: '4' },
  },
} as const;

type Values = ReturnType<typeof parseArgs<typeof config>>['values'];

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}

async function serve(given: string | undefined, values: Values): Promise<void> {
  // Seen from dist/examples/rdma-httpd/, where this file runs.
  const ownModules = fileURLToPath(new URL('../../../node_modules/', import.meta.url));
  const folder = given ?? ownModules;
  const { host } = values;
  const port = integerOf('port', values.port, 0, 65_535);
  const workers = integerOf('workers', values.workers, 1, 256);
  const httpd = await Httpd.start({ folder, host, port, workers });
  console.log(`serving ${folder} at http://${host}:${httpd.port}/`);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void httpd.close());
}

async function get(url: URL, values: Values): Promise<void> {
  const mode = modeOf(values);
  await using node = createNode();
  await using client = await RdmaClient.open(node.context, { portal: portalOf(values.by, ['tcp', 'rdma']), mode });
  let files = 0;
  let bytes = 0;
  let byRdma = 0;
  const startedMs = performance.now();
  for await (const fetched of download(client, url, values.into, { isRecursive: values.recursive })) {
    files++;
    bytes += fetched.bytes;
    if (fetched.by === 'rdma') byRdma++;
  }
  const seconds = (performance.now() - startedMs) / 1000;
  console.log(
    `${files} files, ${mebibytes(bytes)} in ${seconds.toFixed(2)} s; ${byRdma} of them by RDMA (${mode}, ${values.by})`,
  );
}

async function measure(url: URL, values: Values): Promise<void> {
  const mode = modeOf(values);
  await using node = createNode();
  const requests = integerOf('requests', values.requests, 1, 1e9);
  const connections = integerOf('connections', values.connections, 1, 1000);
  const result = await load(node.context, url, {
    portal: portalOf(values.by, ['tcp', 'rdma']),
    mode,
    requests,
    connections,
  });
  console.log(
    `${requests} requests over ${connections} connections: ${(requests / result.seconds).toFixed(0)} a second, ` +
      `${mebibytes(result.bytes / result.seconds)} a second; median ${result.medianMs.toFixed(2)} ms, ` +
      `p99 ${result.p99Ms.toFixed(2)} ms; ${result.failures} failures, ${result.byRdma} by RDMA`,
  );
  if (result.failures > 0) process.exitCode = 1;
}

function modeOf({ mode }: Values): TransferMode {
  if (mode === 'server-writes' || mode === 'client-reads') return mode;
  throw new UsageError(`--mode=${mode}: server-writes or client-reads is wanted`);
}

await runCommand(help, config, async ({ values, positionals }) => {
  const [command = 'serve', argument] = positionals;
  if (command === 'get' || command === 'load') {
    if (argument === undefined || !URL.canParse(argument)) throw new UsageError(`${command} needs a URL`);
    const url = new URL(argument);
    await (command === 'get' ? get(url, values) : measure(url, values));
  } else await serve(command === 'serve' ? argument : command, values);
});
