import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type ActorSystem, createRouter, createSystem, type PoolOf, type RefOf, type Router } from 'heddle';
import { HttpError, statusOf } from './http-error.js';
import { Mathematician, Shard, topItems } from './stock.js';

export interface ApiOptions {
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
  readonly contexts: number;
}

export interface Api {
  readonly system: ActorSystem;
  readonly server: Server;
  readonly url: string;
}

/** What a request is served with. */
interface Services {
  readonly system: ActorSystem;
  /** The same shard for the same item. */
  readonly shards: Router<NonNullable<RefOf<typeof Shard>['messages']>>;
  /** Whoever has the least to do. */
  readonly mathematicians: PoolOf<typeof Mathematician>;
  inFlight: number;
}

const maximumBodyBytes = 10_000;
const highestLimit = 1_000_000;
const searchLimit = 10;
const primesTimeoutMs = 30_000;

type Route = (services: Services, found: RegExpExecArray, url: URL, request: IncomingMessage) => Promise<unknown>;

const routes: readonly [method: string, path: RegExp, route: Route][] = [
  ['GET', /^\/items\/([\w-]{1,64})$/, getItem],
  ['POST', /^\/items\/([\w-]{1,64})$/, addToItem],
  ['GET', /^\/search$/, search],
  ['GET', /^\/primes$/, countPrimes],
  ['GET', /^\/health$/, health],
];

/** Starts the API; closing its system closes it, and so does SIGTERM: what is under way is answered first. */
export async function startApi({ host, port, contexts }: ApiOptions): Promise<Api> {
  const system = await createSystem({ name: 'api', contexts, signals: ['SIGINT', 'SIGTERM'] });
  const shardCount = Math.max(1, contexts) * 2;
  const shards = await Promise.all(Array.from({ length: shardCount }, () => system.spawn(Shard)));
  const services: Services = {
    system,
    shards: createRouter(shards, { strategy: 'consistent-hash', keyOf: (_, item) => (item as { id: string }).id }),
    mathematicians: await system.createPool(Mathematician, undefined, { minimum: Math.max(1, contexts) }),
    inFlight: 0,
  };
  const server = createServer((request, response) => void serve(services, server, request, response));
  try {
    server.listen(port, host);
    await once(server, 'listening');
  } catch (error) {
    await system.close();
    throw error;
  }
  system.onShutdown('before-actors', () => new Promise((resolve) => server.close(resolve)));
  return { system, server, url: `http://${host}:${(server.address() as AddressInfo).port}` };
}

async function serve(services: Services, server: Server, request: IncomingMessage, response: ServerResponse) {
  services.inFlight++;
  let status = 200;
  let body: unknown;
  try {
    body = await dispatch(services, request);
  } catch (error) {
    status = statusOf(error);
    // Of an error that is nobody's fault but ours the client learns nothing more.
    body = { error: status === 500 ? 'internal error' : (error as Error).message };
    if (status === 500) console.error(error);
  } finally {
    services.inFlight--;
  }
  response.writeHead(status, {
    'content-type': 'application/json',
    ...(status === 503 && { 'retry-after': '1' }),
    // A server that closes waits for its connections to end: this one does after the answer.
    ...(!server.listening && { connection: 'close' }),
  });
  response.end(`${JSON.stringify(body)}\n`);
}

async function dispatch(services: Services, request: IncomingMessage): Promise<unknown> {
  const url = new URL(request.url ?? '/', 'http://api');
  const fitting = routes.filter(([, path]) => path.test(url.pathname));
  if (fitting.length === 0) throw new HttpError(404, `there is no ${url.pathname}`);
  const route = fitting.find(([method]) => method === request.method);
  if (route === undefined) throw new HttpError(405, `${url.pathname} takes ${fitting.map(([m]) => m).join(', ')}`);
  return route[2](services, route[1].exec(url.pathname)!, url, request);
}

/** To the shard that has the item. */
async function getItem({ shards }: Services, [, id = '']: RegExpExecArray): Promise<unknown> {
  const item = await shards.ask('get', { id });
  if (item === undefined) throw new HttpError(404, `there is no item ${id}`);
  return item;
}

async function addToItem({ shards }: Services, [, id = '']: RegExpExecArray, _url: URL, request: IncomingMessage) {
  const { by } = (await readJson(request)) as { by?: unknown };
  if (!Number.isSafeInteger(by)) throw new HttpError(400, 'the body must be {"by": <integer>}');
  return shards.ask('add', { id, by: by as number });
}

/** Scatter and gather: every shard looks at once, and the best of what they found is the answer. */
async function search({ shards }: Services, _found: RegExpExecArray, url: URL): Promise<unknown> {
  const text = url.searchParams.get('text') ?? '';
  const answers = await shards.askAll('search', { text, limit: searchLimit }, { timeoutMs: 2000 });
  const found = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
  const silent = answers.filter(({ status }) => status === 'rejected').length;
  return { items: topItems(found, searchLimit), complete: silent === 0 };
}

/** To whichever member of the pool has the least to do; given up when the client hangs up. */
async function countPrimes({ mathematicians }: Services, _found: RegExpExecArray, url: URL, request: IncomingMessage) {
  const below = Number(url.searchParams.get('below'));
  if (!Number.isInteger(below) || below < 0 || below > highestLimit) {
    throw new HttpError(400, `below must be an integer from 0 to ${highestLimit}`);
  }
  const abort = new AbortController();
  const onClose = () => abort.abort();
  request.socket.once('close', onClose);
  try {
    const primes = await mathematicians.ask('primesBelow', below, { timeoutMs: primesTimeoutMs, signal: abort.signal });
    return { below, primes };
  } finally {
    request.socket.off('close', onClose);
  }
}

async function health({ system, inFlight }: Services): Promise<unknown> {
  return { actors: system.actorCounts, inFlight: inFlight - 1, deadLetters: system.deadLetterCounts };
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maximumBodyBytes) throw new HttpError(413, `a body has at most ${maximumBodyBytes} bytes`);
    chunks.push(chunk);
  }
  try {
    const value: unknown = JSON.parse(Buffer.concat(chunks).toString());
    if (typeof value === 'object' && value !== null) return value;
  } catch {
    // Said below, for all that is no object.
  }
  throw new HttpError(400, 'the body must be a JSON object');
}
