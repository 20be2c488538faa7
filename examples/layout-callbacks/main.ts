/** Layouts with recall: clients cache ranges of shared files, and a metadata server calls them back when others want them. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createNode } from 'heddle';
import { portalOf, runCommand } from '../command-line.js';
import type counterContext from './counter-context.js';
import { LayoutClient } from './layout-client.js';
import { MetadataServer } from './metadata-server.js';
import type { CounterReport, CounterTask } from './shared-counter.js';

const help =
  'npm run example -- layout-callbacks [uri]   shm://layouts (threads), tcp://127.0.0.1:0 or rdma://... (processes)';
const clients = 3;
const updates = 200;

await runCommand(help, { allowPositionals: true }, async ({ positionals }) => {
  const uri = portalOf(positionals[0] ?? 'shm://layouts', ['shm', 'tcp', 'rdma']);
  const folder = await mkdtemp(join(tmpdir(), 'layouts-'));
  const node = createNode();
  const server = await new MetadataServer({ folder, leaseMs: 300 }).listen(node.context, uri);
  console.log(`metadata server at ${server.uri}, files in ${folder}`);

  // Several clients count on one number. Each has it cached while it counts, and gives it up when it is called back.
  async function runClient(task: CounterTask): Promise<CounterReport> {
    if (uri.startsWith('shm:')) {
      const context = await node.startContext<typeof counterContext>(new URL('./counter-context.js', import.meta.url), {
        data: task,
      });
      await context.stop();
      return context.value;
    }
    const script = fileURLToPath(new URL('./counter-process.js', import.meta.url));
    const { stdout } = await promisify(execFile)(process.execPath, [script, JSON.stringify(task)]);
    return JSON.parse(stdout) as CounterReport;
  }
  const startAtMs = Date.now() + 500;
  const tasks = Array.from({ length: clients }, (_, number) => ({
    uri: server.uri,
    clientId: `client-${number}`,
    updates,
    startAtMs,
  }));
  for (const { clientId, highest, layoutGets, recalls } of await Promise.all(tasks.map(runClient))) {
    console.log(
      `${clientId}: last counted ${highest}, asked for ${layoutGets} layouts, was called back ${recalls} times`,
    );
  }
  const reader = await new LayoutClient(node.context, server.uri, { clientId: 'reader' }).open();
  const counter = (await reader.read('shared', 0, 8)).readBigUInt64LE();
  console.log(`the counter says ${counter}; ${clients} clients counted ${updates} times each`);

  // A client that is gone without a word: its layout comes back when its lease is over.
  const silent = await new LayoutClient(node.context, server.uri, { clientId: 'silent', reconnectMs: 1 }).open();
  await silent.write('shared', 0, Buffer.from('was never brought to the server'));
  silent.vanish();
  const after = await reader.read('shared', 0, 8);
  console.log(`a client vanished with a layout: the counter still says ${after.readBigUInt64LE()}`);

  await reader.close();
  const { granted, recalled, expiredClients } = server.counts;
  console.log(`granted ${granted} layouts, recalled ${recalled}; ${expiredClients} client expired`);
  await server.close();
  await node.close();
  await rm(folder, { recursive: true });
  if (counter !== BigInt(clients * updates)) process.exitCode = 1;
});
