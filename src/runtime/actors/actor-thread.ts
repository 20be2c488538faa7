import type { Context } from '../context/context.js';

import { ActorHost } from './host.js';
import type { OffloadPoolSettings } from './offload/offload-pool.js';
import { mainPlace, type Place, Places } from './places.js';
import { type SupervisionOptions, supervisionWith } from './supervision.js';
import { describeError } from './wire-error.js';

/** What a worker context of a system is started with. */
export interface ActorThreadData {
  readonly systemId: string;
  readonly place: number;
  readonly incarnation: number;
  readonly places: readonly Place[];
  readonly loads: SharedArrayBuffer;
  readonly askTimeoutMs: number;
  readonly offload: OffloadPoolSettings;
  readonly followsAsyncHandlers: boolean;
  /** For what is built on top of actors; see SystemThread. */
  readonly extra: unknown;
}

/** Actors of a worker context are children of others; what its root has, it has by mistake, and stops. */
const rootSupervision: SupervisionOptions = { decide: () => 'stop' };

/** Dead letters that a context tells the main one of in one turn of the event loop; the others are only counted. */
const reportedPerTurn = 32;

/** The main function of a system's worker contexts. */
export default async function runActorThread(context: Context, data: ActorThreadData): Promise<void> {
  await startActorHost(context, data);
}

/** Makes a worker context one of its system's. */
export async function startActorHost(context: Context, data: ActorThreadData): Promise<ActorHost> {
  let reported = 0;
  const host: ActorHost = new ActorHost(context, {
    systemId: data.systemId,
    place: data.place,
    incarnation: data.incarnation,
    places: new Places(data.places, data.loads),
    askTimeoutMs: data.askTimeoutMs,
    offload: data.offload,
    followsAsyncHandlers: data.followsAsyncHandlers,
    supervision: supervisionWith(rootSupervision),
    onDeadLetter: ({ reason, to, name }) => {
      if (reported++ === 0) {
        setImmediate(() => {
          reported = 0;
        });
      }
      if (reported <= reportedPerTurn) host.post(mainPlace, { type: 'dead-letter', reason, to, name });
    },
    onFailure: (ref, error, action) => {
      host.post(mainPlace, { type: 'failure', ref, error: describeError(error), action });
    },
  });
  context.once('stopping', () => void host.offloadPool.close());
  await host.links.listen();
  return host;
}
