/** Cluster memory: sorts more numbers than fit into the memory it has, and pages the rest to a memory server. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MessageChannel } from 'node:worker_threads';
import { createNode } from 'heddle';
import { portalOf, runCommand, UsageError } from '../command-line.js';
import type { MemoryServerOptions } from './memory-server.js';
import type sortContext from './sort-context.js';
import { runSort, type SortReport } from './sort-job.js';
import { startMemoryServer } from './start-memory-server.js';

const help =
  'npm run example -- cluster-memory [uri]   tcp://127.0.0.1:0 or rdma://... (processes), shm://memory (threads)';
const sort = { clientId: 1, pages: 2048, pageBytes: 4096, frames: 128, runPages: 128 };

/** The server in a process of its own, the client here. */
async function inTwoProcesses(options: MemoryServerOptions): Promise<SortReport> {
  const script = fileURLToPath(new URL('./server-process.js', import.meta.url));
  const child = fork(script, [JSON.stringify(options)]);
  const ended = once(child, 'exit');
  const started = await Promise.race([once(child, 'message'), ended.then(() => undefined)]);
  if (started === undefined) throw new UsageError(`the server could not start at ${options.uri}`);
  const [{ uri: serverUri }] = started;
  // Over rdma both sides have to ask for one-sided operations; they get them where there is an RDMA device.
  const node = createNode({ contextOptions: { rdmaOneSided: options.uri.startsWith('rdma:') } });
  const report = await runSort(node.context, { ...sort, uri: serverUri }, () => child.send('shutdown'));
  await ended;
  await node.close();
  return report;
}

/** The server on this thread, the client on another one. */
async function onTwoThreads(options: MemoryServerOptions): Promise<SortReport> {
  const { server, system, close } = await startMemoryServer(options);
  const { port1, port2 } = new MessageChannel();
  const ended = once(port1, 'message').then(() => server.shutdown());
  const client = await system.node.startContext<typeof sortContext>(new URL('./sort-context.js', import.meta.url), {
    data: { job: { ...sort, uri: server.uri }, port: port2 },
    transferList: [port2],
    startTimeoutMs: 600_000,
  });
  await ended;
  port1.close();
  await close();
  return client.value;
}

await runCommand(help, { allowPositionals: true }, async ({ positionals }) => {
  const uri = portalOf(positionals[0] ?? 'tcp://127.0.0.1:0', ['tcp', 'rdma', 'shm']);
  const folder = await mkdtemp(join(tmpdir(), 'cluster-memory-'));
  try {
    await run({
      uri,
      controlUri: `${uri}${uri.startsWith('shm:') ? '/control' : ''}`,
      path: join(folder, 'pages'),
      cachePages: 2048,
    });
  } finally {
    await rm(folder, { recursive: true });
  }
});

async function run(options: MemoryServerOptions): Promise<void> {
  const { pages, pageBytes, frames, runPages } = sort;
  console.log(
    `sorting ${(pages * pageBytes) / 2 ** 20} MiB with ${((frames + runPages) * pageBytes) / 2 ** 20} MiB here`,
  );
  const report = await (options.uri.startsWith('shm:') ? onTwoThreads(options) : inTwoProcesses(options));
  const { faults, evictions, seconds, wire } = report;
  const how = report.isOneSided ? 'by one-sided operations' : 'in messages';
  console.log(`pages moved ${how} over ${wire}: ${faults} in, ${evictions} out`);
  console.log(`${((faults + evictions) / seconds / 1000).toFixed(1)} thousand pages a second`);
  console.log(`the same as sorted in memory: ${report.isEqual ? 'yes' : 'NO'}`);
  console.log(`${report.flushed} pages had to be brought to the server's disk by the slower way`);
  console.log('the server served until it was acknowledged, and has ended');
  if (!report.isEqual) process.exitCode = 1;
}
