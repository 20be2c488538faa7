/** Hello between two processes, over rdma:// or tcp://. Over shm:// the service is a thread: that memory ends with a process. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createNode } from 'heddle';
import type server from './two-processes-server.js';

const uri = process.argv[2] ?? 'rdma://127.0.0.1:0';

const node = createNode();
const isThread = uri.startsWith('shm:');
const child = isThread ? undefined : fork(new URL('./two-processes-host.js', import.meta.url), [uri]);
const serviceUri = child === undefined ? await startThread() : await startedAt(child);

const connection = await node.context.connect(serviceUri);
for (const name of ['world', 'warp', 'weft']) {
  const { value } = await connection.request({ name });
  console.log(value.greeting);
  if (name === 'weft') console.log(`answered by ${value.pid === process.pid ? 'a thread of this' : 'another'} process`);
}
console.log(`the service is at ${connection.peerAddress}`);
await connection.close();

if (child !== undefined) {
  child.disconnect(); // the service's process takes it for its end
  await once(child, 'exit');
}
await node.close();

async function startThread(): Promise<string> {
  const module = new URL('./two-processes-server.js', import.meta.url);
  return (await node.startContext<typeof server>(module, { data: uri })).value;
}

/** Where the process listens, or why it does not. */
async function startedAt(process: NonNullable<typeof child>): Promise<string> {
  const [first] = await Promise.race([once(process, 'message'), once(process, 'exit')]);
  if (typeof first === 'string') return first;
  throw new Error(`the service's process ended with ${first}`);
}
