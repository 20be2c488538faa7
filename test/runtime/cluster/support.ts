import type { ExecutionContext } from 'ava';
import { type ClusterSystem, type ClusterSystemOptions, createSystem, type PeerSystem } from '../../../src/index.js';

export { until } from '../actors/support.js';

export const secret = 'a secret for tests, long enough';
const ringCapacityBytes = 256 * 1024;
/** A node that is lost is given up soon, so that tests need not wait for it. */
export const peerOptions = { reconnectTimeoutMs: 200, reconnectDelayMs: 20 };

/** A system for one test that can be connected with others. */
export async function clusterSystem(t: ExecutionContext, options: ClusterSystemOptions = {}): Promise<ClusterSystem> {
  const system = await createSystem({
    ringCapacityBytes,
    askTimeoutMs: 60_000,
    secret,
    peerOptions,
    signals: [],
    ...options,
  });
  // A failure that a test brings about is none of the reader's concern.
  system.on('actorFailure', () => {});
  const hold = setInterval(() => {}, 60_000);
  t.teardown(async () => {
    await system.close();
    clearInterval(hold);
  });
  return system;
}

/** Two systems, the first of which listens, and the second of which is connected with it. */
export async function pair(
  t: ExecutionContext,
  serving: ClusterSystemOptions = {},
  asking: ClusterSystemOptions = {},
): Promise<{ server: ClusterSystem; client: ClusterSystem; peer: PeerSystem; back: PeerSystem }> {
  const server = await clusterSystem(t, { name: 'server', listen: 'tcp://127.0.0.1:0', ...serving });
  const client = await clusterSystem(t, { name: 'client', ...asking });
  const connected = new Promise<PeerSystem>((resolve) => server.cluster.once('connected', resolve));
  const peer = await client.connect(server.cluster.uri as string);
  return { server, client, peer, back: await connected };
}
