import { HeddleError, requireKnownOptions, requireObject } from '../../errors.js';
import { type AnyDefinition, isImportingDefinitions } from '../actors/definition.js';
import type { HostParts } from '../actors/host-options.js';
import { ActorSystem, type SystemOptions } from '../actors/system.js';
import type { ConnectionOptions } from '../session/options.js';
import { Cluster, type ConnectPeerOptions } from './cluster.js';
import type { ClusterThreadData } from './cluster-thread.js';
import type { PeerSystem } from './peer-system.js';
import { givenPortals, portalsFor, requireSecretBeyondLoopback } from './portal-uris.js';
import { secretKey } from './proof.js';
import { definitionsByName } from './registered.js';

/** How a system is made that others can connect with; all of it may be left out. */
export interface ClusterSystemOptions extends SystemOptions {
  /**
   * Where other systems connect to: a portal's URI, `tcp://127.0.0.1:7000`. Each worker context listens, too, at a free port
   * of the same host, or at the URI that stands at its place in a list: the main context's, the first worker's, and so on.
   * What others than this machine can reach needs a {@link secret}.
   */
  readonly listen?: string | readonly string[] | undefined;
  /**
   * What this system and those that it is connected with prove to each other: the same text of at least 16 bytes on all
   * of them. It never travels. Without it any program of this machine can connect.
   */
  readonly secret?: string | undefined;
  /** The definitions that other systems may have spawned here, by their names. Nothing else is loaded on their word. */
  readonly register?: readonly AnyDefinition[] | undefined;
  /** What connections with other systems keep to, instead of {@link defaultPeerOptions}. */
  readonly peerOptions?: Partial<ConnectionOptions> | undefined;
}

const systemOptions: Record<keyof ClusterSystemOptions, true> = {
  contexts: true,
  name: true,
  contextOptions: true,
  ringCapacityBytes: true,
  askTimeoutMs: true,
  offload: true,
  detectDeadlocks: true,
  supervision: true,
  signals: true,
  inspect: true,
  restartContexts: true,
  listen: true,
  secret: true,
  register: true,
  peerOptions: true,
};
/** All that createSystem() takes. */
export const systemOptionNames: readonly string[] = Object.keys(systemOptions);

/**
 * What connections between systems keep to: a lost wire is looked for again for 3 seconds, a silent peer counts as lost
 * after about 11, and up to 64 MiB or 65 536 messages wait for a peer that takes them slowly.
 */
export const defaultPeerOptions: Partial<ConnectionOptions> = {
  sendQueueDepthMessages: 65_536,
  sendQueueDepthBytes: 64 * 1024 * 1024,
  reconnectTimeoutMs: 3000,
  keepaliveIdleMs: 5000,
  keepaliveIntervalMs: 2000,
  keepaliveProbes: 3,
};

const threadModule = new URL('./cluster-thread.js', import.meta.url);

/** An actor system that can be connected with those of other processes. Made by {@link createSystem}. */
export class ClusterSystem extends ActorSystem {
  /** The systems of other processes that this one is connected with, and where it listens itself. */
  readonly cluster: Cluster;
  readonly #portals: readonly string[] | undefined;

  /** @internal Use {@link createSystem}. */
  constructor(options: ClusterSystemOptions, parts: HostParts = {}) {
    requireKnownOptions('createSystem', options, systemOptionNames);
    const { secret, listen } = options;
    const key = secretKey(secret);
    const given = givenPortals(listen);
    requireSecretBeyondLoopback(given, key.length > 0);
    const contexts = typeof options.contexts === 'number' ? options.contexts : (options.contexts?.length ?? 0);
    const portals = given.length === 0 ? undefined : portalsFor(given, contexts + 1);
    if (options.peerOptions !== undefined) requireObject('peerOptions', options.peerOptions);
    const connection = { ...defaultPeerOptions, ...options.peerOptions };
    const register = definitionsByName(options.register ?? []);
    const extraOf = (place: number): ClusterThreadData => ({ secret, connection, portal: portals?.[place] });
    super(options, { ...parts, thread: { module: threadModule, extraOf } });
    this.#portals = portals;
    this.cluster = new Cluster({ system: this, secret, connection, register });
    this.onShutdown('after-actors', () => this.cluster.close());
  }

  /** @internal */
  override async start(signals: readonly NodeJS.Signals[]): Promise<void> {
    await super.start(signals);
    if (this.#portals !== undefined) await this.cluster.listen(this.#portals[0]!);
  }

  /**
   * Connects with the system that listens at `uri`. Resolves when each context of this system is connected with each of the
   * other; further calls with the same URI resolve to the same. From then on both sides find, make, watch and talk to
   * each other's actors. A node that is lost is connected to again, unless `reconnect` is false.
   *
   * @example
   * const peer = await system.connect('tcp://127.0.0.1:7000', { secret });
   * const visits = await peer.lookup('visits', Counter);
   *
   * @throws ERR_HEDDLE_REFUSED, ERR_HEDDLE_REJECTED, ERR_HEDDLE_SECRET, ERR_HEDDLE_TIMEOUT, ERR_HEDDLE_VERSION,
   *   ERR_HEDDLE_INVALID_URI, ERR_HEDDLE_INVALID_ARGUMENT
   */
  async connect(uri: string, options: ConnectPeerOptions = {}): Promise<PeerSystem> {
    requireKnownOptions('connect', options, ['secret', 'reconnect']);
    return this.cluster.connect(uri, options);
  }
}

/**
 * Makes an actor system; resolves when all its contexts run, and listen if they are to.
 *
 * @example
 * await using system = await createSystem({ contexts: 2 });
 * const counter = await system.spawn(Counter, { start: 0 });
 * counter.tell('add', 5);
 * console.log(await counter.ask('get'));
 *
 * @throws ERR_HEDDLE_INVALID_ARGUMENT, ERR_HEDDLE_CONTEXT_START, ERR_HEDDLE_ADDRESS_IN_USE, ERR_HEDDLE_INVALID_URI;
 *   ERR_HEDDLE_CLOSED when one of `signals` arrives meanwhile; ERR_HEDDLE_INVALID_STATE when it is called by a module that another context imports for its actors
 */
export async function createSystem(options: ClusterSystemOptions = {}): Promise<ClusterSystem> {
  if (isImportingDefinitions()) {
    throw new HeddleError(
      'ERR_HEDDLE_INVALID_STATE',
      'createSystem() was called by a module that a context imports for its actors: define actors in modules of their own, ' +
        'which a bundler must know as entry points',
    );
  }
  const system = new ClusterSystem(options);
  try {
    await system.start(options.signals ?? ['SIGTERM']);
    if (options.inspect !== undefined) system.inspect(options.inspect);
  } catch (error) {
    await system.close();
    throw error;
  }
  return system;
}
