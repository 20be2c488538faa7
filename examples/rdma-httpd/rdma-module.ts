import type { UserCounter } from 'heddle';
import type { AnswerHead, Bucket, Fields, HttpConnection, HttpRequest, Module, OutputFilter, Worker } from './hooks.js';
import { parseOffer, type RdmaOffer, rdmaBytesField, rdmaField } from './rdma-header.js';
import { RdmaSession, RdmaStream } from './rdma-session.js';

/** What this module keeps for each worker: made by its child-init. */
interface WorkerState {
  sessions: number;
  readonly opened: UserCounter;
  readonly open: UserCounter;
  readonly fallbacks: UserCounter;
  readonly bytes: UserCounter;
}

const workers = new WeakMap<Worker, WorkerState>();
const sessions = new WeakMap<HttpConnection, RdmaSession>();
const shipments = new WeakMap<HttpRequest, { readonly offer: RdmaOffer; readonly session: RdmaSession }>();

/** Sends bodies by RDMA to clients that say in a request that they can take them; as mod_rdma did for Apache. */
export const rdmaModule: Module = {
  name: 'rdma',

  postConfig({ rdma }) {
    const { slots, slotBytes } = rdma;
    if (!(slots >= 1 && slotBytes >= 1024))
      throw new Error(`slots=${slots} slotBytes=${slotBytes} cannot carry a body`);
  },

  childInit(worker) {
    const { context } = worker;
    workers.set(worker, {
      sessions: 0,
      opened: context.counter('rdmaSessionsOpened'),
      open: context.counter('rdmaSessionsOpen'),
      fallbacks: context.counter('rdmaFallbacks'),
      bytes: context.counter('rdmaBytes'),
    });
  },

  preConnection(connection) {
    connection.outputFilters.push((request, next) => {
      const shipment = shipments.get(request);
      return shipment === undefined ? next : new RdmaOutputFilter(request, shipment, next);
    });
    connection.cleanups.push(() => cleanUp(connection));
  },

  async insertFilter(request) {
    const offer = parseOffer(request.fields[rdmaField]);
    if (offer === undefined || request.method !== 'GET') return;
    const session = await sessionFor(request.connection, offer);
    if (session !== undefined) shipments.set(request, { offer, session });
  },
};

/** The session of an HTTP connection: opened for its first capable request, and used again by all after it. */
async function sessionFor(connection: HttpConnection, offer: RdmaOffer): Promise<RdmaSession | undefined> {
  const { worker } = connection;
  const state = workers.get(worker)!;
  const { rdma } = worker.config;
  let session = sessions.get(connection);
  if (session !== undefined) {
    const isSame = session.offer.uri === offer.uri && session.offer.token === offer.token;
    if (session.isAlive && isSame) return session;
    await cleanUp(connection);
  }
  try {
    requireAllowed(connection, offer, rdma.schemes);
    if (state.sessions >= rdma.maximumSessions) throw new Error(`sessions=${state.sessions} are open already`);
    state.sessions++;
    try {
      session = await RdmaSession.open(worker.context, offer, rdma);
    } catch (error) {
      state.sessions--;
      throw error;
    }
  } catch {
    // Whatever it is, the client gets its body by HTTP.
    state.fallbacks.add();
    return undefined;
  }
  sessions.set(connection, session);
  state.opened.add();
  state.open.add();
  const { signal } = connection;
  if (signal.aborted) session.destroy();
  else signal.addEventListener('abort', () => session.destroy(), { once: true });
  return session;
}

/** The server connects to nobody but the client that asked it to. */
function requireAllowed({ peerAddress }: HttpConnection, { uri }: RdmaOffer, schemes: readonly string[]): void {
  const match = /^([a-z]+):\/\/(\[[0-9a-f:.]+\]|[^:/?#]+)(?::\d+)?\/?$/i.exec(uri);
  const [, scheme = '', host = ''] = match ?? [];
  if (!schemes.includes(scheme)) throw new Error(`uri=${uri} is not of an allowed scheme: ${schemes.join(', ')}`);
  // What shm names is within this process.
  if (scheme !== 'shm' && host.replace(/^\[|\]$/g, '') !== peerAddress) {
    throw new Error(`uri=${uri} is not of the client at ${peerAddress}`);
  }
}

async function cleanUp(connection: HttpConnection): Promise<void> {
  const session = sessions.get(connection);
  if (session === undefined) return;
  sessions.delete(connection);
  await session.release();
  const state = workers.get(connection.worker)!;
  state.sessions--;
  state.open.add(-1);
}

/** Holds on to the body and sends it by RDMA; head, end and trailer go on by HTTP. */
class RdmaOutputFilter implements OutputFilter {
  readonly #request: HttpRequest;
  readonly #offer: RdmaOffer;
  readonly #stream: RdmaStream;
  readonly #next: OutputFilter;

  constructor(
    request: HttpRequest,
    { offer, session }: { offer: RdmaOffer; session: RdmaSession },
    next: OutputFilter,
  ) {
    this.#request = request;
    this.#offer = offer;
    this.#stream = new RdmaStream(session, offer);
    this.#next = next;
  }

  head({ status, fields }: AnswerHead): void | Promise<void> {
    const { 'content-length': length = '', ...others } = fields;
    const { stream, mode } = this.#offer;
    return this.#next.head({
      status,
      fields: { ...others, [rdmaField]: `stream=${stream}; mode=${mode}; length=${length}`, trailer: rdmaBytesField },
    });
  }

  async write(bucket: Bucket): Promise<void> {
    switch (bucket.kind) {
      case 'file':
        await this.#stream.shipFile(bucket.file, bucket.offset, bucket.lengthBytes);
        break;
      case 'heap':
        await this.#stream.shipHeap(bucket.buffer);
        break;
      case 'transient':
        await this.#stream.shipTransient(bucket.bytes);
        break;
    }
  }

  async end(trailers: Fields): Promise<void> {
    const bytes = await this.#stream.finish();
    workers.get(this.#request.connection.worker)!.bytes.add(bytes);
    await this.#next.end({ ...trailers, [rdmaBytesField]: String(bytes) });
  }
}
