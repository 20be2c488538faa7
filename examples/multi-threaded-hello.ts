/**
 * A service on several threads, and clients on several more. Every server context listens at a portal of its own; the
 * lead accepts the session with the list of these portals; each client context joins the session with a connection of
 * its own, which lands on one of the server contexts. From then on a client and its server share a ring: no other
 * thread stands between them.
 */
import { createNode } from 'heddle';
import { UsageError } from './command-line.js';
import type client from './multi-threaded-hello-client.js';
import type lead from './multi-threaded-hello-lead.js';
import type server from './multi-threaded-hello-server.js';

const uri = process.argv[2] ?? 'shm://hello';
const requestsPerClient = Number(process.argv[3] ?? 100_000);
if (!Number.isSafeInteger(requestsPerClient) || requestsPerClient < 1) {
  throw new UsageError(`${process.argv[3]}: the number of requests of each client is wanted, from 1 on`);
}
const serverCount = 2;
const clientCount = 4;

const moduleUrl = (role: string) => new URL(`./multi-threaded-hello-${role}.js`, import.meta.url);
// A portal needs an address of its own: a further name in shared memory, a free port on tcp.
const portalUri = (number: number) => (!uri.startsWith('shm:') ? uri.replace(/:\d+$/, ':0') : `${uri}/${number}`);
const count = (number: number) => Math.round(number).toLocaleString('en-US');

const node = createNode();
const servers = await Promise.all(
  Array.from({ length: serverCount }, (_, number) =>
    node.startContext<typeof server>(moduleUrl('server'), { name: `server-${number}`, data: portalUri(number) }),
  ),
);
const portals = servers.map((context) => context.value);
const front = await node.startContext<typeof lead>(moduleUrl('lead'), { name: 'lead', data: { uri, portals } });
console.log(`${front.value} leads to ${serverCount} server contexts:`);
for (const context of servers) console.log(`  ${context.name} listens at ${context.value}`);

// This thread opens the session; by its ticket the client contexts take part in it.
const session = node.context.open(front.value);
const data = { ticket: session.ticket(), requests: requestsPerClient };
const startedMs = performance.now();
const clients = await Promise.all(
  Array.from({ length: clientCount }, (_, number) =>
    node.startContext<typeof client>(moduleUrl('client'), { name: `client-${number}`, data }),
  ),
);
const seconds = (performance.now() - startedMs) / 1000;

console.log(`\n${clientCount} client contexts, each with ${count(requestsPerClient)} requests:`);
for (const { name, value } of clients) {
  console.log(
    `  ${name} was served by ${value.servedBy}: ${count(requestsPerClient / value.seconds)} requests a second`,
  );
}
const messages = 2 * clientCount * requestsPerClient;
console.log(`\n${count(messages)} messages in ${seconds.toFixed(2)} s: ${count(messages / seconds)} messages a second`);
for (const context of servers) {
  console.log(`  ${context.name} answered ${count(context.statistics().responsesSent)} requests`);
}

await session.close();
await node.close();
console.log('all sessions are closed, all threads have ended');
