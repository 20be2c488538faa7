import type { Connection, ContextMain } from 'heddle';
import type { ServerConfig } from './config.js';
import { FrontFilter } from './front-filter.js';
import type { FrontPost, WorkerPost } from './front-messages.js';
import type { HttpConnection, HttpRequest, OutputFilter, Worker } from './hooks.js';
import { modules } from './modules.js';

/** An HTTP connection as the worker keeps it. */
interface Served {
  readonly record: HttpConnection;
  readonly gone: AbortController;
  /** Resolves when all requests that have come are served. */
  tail: Promise<void>;
}

/** A worker of the server: runs the hooks for the HTTP connections that the front gives it. */
export default (async (context, config) => {
  const worker: Worker = { context, config };
  await modules.childInit(worker);
  const connections = new Map<number, Served>();

  function onOpen(id: number, peerAddress: string): void {
    const gone = new AbortController();
    const record = { id, worker, peerAddress, signal: gone.signal, outputFilters: [], cleanups: [] };
    connections.set(id, { record, gone, tail: Promise.resolve() });
    modules.preConnection(record);
  }

  function onRequest(front: Connection, post: Extract<FrontPost, { type: 'request' }>): void {
    const served = connections.get(post.connection);
    if (served === undefined) return;
    const { record } = served;
    const request = { ...post, id: post.request, connection: record };
    served.tail = served.tail.then(async () => {
      if (!record.signal.aborted) await serve(front, request);
    });
  }

  /** The client has gone: what waits for it ends, and then what its connection held is given back. */
  async function onClose(id: number): Promise<void> {
    const served = connections.get(id);
    if (served === undefined) return;
    connections.delete(id);
    served.gone.abort();
    await served.tail;
    for (const cleanup of served.record.cleanups.reverse()) await cleanup();
  }

  await context.listen(config.workerUri, {
    onMessage: ({ value }, front) => {
      const post = value as FrontPost;
      if (post.type === 'open') onOpen(post.connection, post.peerAddress);
      else if (post.type === 'request') onRequest(front, post);
      else return onClose(post.connection);
      return undefined;
    },
    onEvent: (event) => {
      // The front has gone, and all clients with it.
      if (event.type === 'connection-teardown') for (const id of [...connections.keys()]) void onClose(id);
    },
  });
}) satisfies ContextMain<ServerConfig>;

/** Passes an answer through the filters. Never rejects: a failure ends the HTTP connection, whose client then knows. */
async function serve(front: Connection, request: HttpRequest): Promise<void> {
  try {
    await modules.insertFilter(request);
    const answer = await modules.handle(request);
    let filter: OutputFilter = new FrontFilter(front, request);
    for (const wrap of [...request.connection.outputFilters].reverse()) filter = wrap(request, filter);
    await filter.head(answer);
    if (request.method !== 'HEAD') for await (const bucket of answer.body) await filter.write(bucket);
    await filter.end({});
  } catch (error) {
    if (request.connection.signal.aborted) return;
    process.emitWarning(`${request.method} ${request.target} failed: ${String(error)}`, 'RdmaHttpdWarning');
    try {
      front.send({ type: 'abort', request: request.id } satisfies WorkerPost);
    } catch {
      // The front has gone.
    }
  }
}
