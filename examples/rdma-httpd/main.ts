/** A web server with hooks, after RDMA-enabled Apache: heads by HTTP, bodies by RDMA to clients that can take them. */
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createNode } from 'heddle';
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

const { values, positionals } = parseArgs({
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
    help: { type: 'boolean', default: false },
  },
});
const [command = 'serve', argument] = positionals;
const mode = values.mode as TransferMode;

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}

async function serve(): Promise<void> {
  // Seen from dist/examples/rdma-httpd/, where this file runs.
  const ownModules = fileURLToPath(new URL('../../../node_modules/', import.meta.url));
  const folder = (command === 'serve' ? argument : command) ?? ownModules;
  const { host } = values;
  const httpd = await Httpd.start({ folder, host, port: Number(values.port), workers: Number(values.workers) });
  console.log(`serving ${folder} at http://${host}:${httpd.port}/`);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void httpd.close());
}

async function get(url: URL): Promise<void> {
  await using node = createNode();
  await using client = await RdmaClient.open(node.context, { portal: values.by, mode });
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

async function measure(url: URL): Promise<void> {
  await using node = createNode();
  const requests = Number(values.requests);
  const connections = Number(values.connections);
  const result = await load(node.context, url, { portal: values.by, mode, requests, connections });
  console.log(
    `${requests} requests over ${connections} connections: ${(requests / result.seconds).toFixed(0)} a second, ` +
      `${mebibytes(result.bytes / result.seconds)} a second; median ${result.medianMs.toFixed(2)} ms, ` +
      `p99 ${result.p99Ms.toFixed(2)} ms; ${result.failures} failures, ${result.byRdma} by RDMA`,
  );
  if (result.failures > 0) process.exitCode = 1;
}

if (values.help) console.log(help);
else if (mode !== 'server-writes' && mode !== 'client-reads') throw new Error(`--mode=${mode}: see --help`);
else if (command === 'get' || command === 'load') {
  if (argument === undefined) throw new Error(`${command} needs a URL: see --help`);
  const url = new URL(argument);
  await (command === 'get' ? get(url) : measure(url));
} else await serve();
