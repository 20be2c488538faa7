/** Request and response: a service on a worker thread, asked from the main thread. */
import { createNode } from 'heddle';
import type server from './hello-server.js';

const uri = process.argv[2] ?? 'shm://hello';

const node = createNode();
const service = await node.startContext<typeof server>(new URL('./hello-server.js', import.meta.url), { data: uri });
const connection = await node.context.connect(service.value);

for (const name of ['world', 'warp', 'weft']) {
  const response = await connection.request({ name });
  console.log(response.value);
}
console.log(`answered by ${service.name} at ${service.value}`);

await node.close();
