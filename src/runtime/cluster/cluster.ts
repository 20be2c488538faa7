import { EventEmitter } from 'node:events';
import { HeddleError } from '../../errors.js';
import { nodeLost } from '../actors/actor-errors.js';
import type { AnyDefinition } from '../actors/definition.js';
import { mainPlace } from '../actors/places.js';
import type { Ref } from '../actors/ref.js';
import type { ActorSystem } from '../actors/system.js';
import type { ConnectionOptions } from '../session/options.js';
import { type ClusterPost, clusterExtension } from './cluster-thread.js';
import type { Introduction, NodeDescription } from './introduction.js';
import { type NodeAnnouncement, NodeLinks } from './node-links.js';
import { PeerSystem } from './peer-system.js';
import { Receptionist } from './receptionist.js';
import { Registered } from './registered.js';

/** Events of a {@link Cluster}. */
export interface ClusterEvents {
  /** A node is connected, in whichever direction, for the first time or again. */
  connected: [peer: PeerSystem];
  /** A node was lost, or has closed. Not for what this side closes. */
  lost: [peer: PeerSystem, error: HeddleError];
  /** Somebody who wanted to connect was refused: `ERR_HEDDLE_SECRET` when they could not prove the secret. */
  refused: [error: HeddleError];
}

/** How another system is connected to. */
export interface ConnectPeerOptions {
  /** The secret to prove, where it is not that of this system's own option `secret`. */
  readonly secret?: string | undefined;
  /** Whether to connect again, as often as it takes, when the node is lost. Default: true. */
  readonly reconnect?: boolean | undefined;
}

/** What a cluster is made with. */
export interface ClusterParts {
  readonly system: ActorSystem;
  readonly secret: string | undefined;
  readonly connection: Partial<ConnectionOptions>;
  readonly register: ReadonlyMap<string, AnyDefinition>;
}

const announceTimeoutMs = 10_000;
const portalTimeoutMs = 10_000;
const firstRedialMs = 100;
const longestRedialMs = 5000;
/** How long a node that was found to connect to this side already may take for the rest. */
const incomingTimeoutMs = 10_000;

/** The nodes that a system is connected with: kept by its main context. */
export class Cluster extends EventEmitter<ClusterEvents> {
  readonly #system: ActorSystem;
  readonly #links: NodeLinks;
  readonly #registered: Registered;
  readonly #peers = new Map<string, PeerSystem>();
  readonly #byUri = new Map<string, Promise<PeerSystem>>();
  /** Announced nodes: what their contexts are, and how they are reached. */
  readonly #announcements = new Map<string, NodeAnnouncement>();
  readonly #receptionists = new Map<string, NodeDescription['receptionist']>();
  readonly #portals = new Map<number, string>();
  /** Nodes that are being dialed, as far as they have said who they are. */
  readonly #dialing = new Set<string>();
  readonly #redials = new Map<PeerSystem, { cancel(): void }>();
  #receptionist: Ref | undefined;
  #isListening = false;
  #isClosing = false;

  /** @internal */
  constructor({ system, secret, connection, register }: ClusterParts) {
    super();
    this.#system = system;
    this.#registered = new Registered(system.host, register);
    this.#links = new NodeLinks(system.host, secret, connection, {
      onNode: (description) => this.#onNode(description),
      onControl: (node) => this.#onControl(node),
      onControlLost: (node, error) => this.#leave(node, nodeLost(`${node}/main`, error)),
      onRefused: (error) => void this.emit('refused', error),
    });
    system.on('contextReplaced', ({ name }) => void this.#onReplaced(name).catch((error) => this.#warn(error)));
    system.on('contextLost', ({ isReplaced }) => {
      if (!isReplaced) this.#describeToAll();
    });
  }

  /** The nodes that are connected now. */
  get peers(): readonly PeerSystem[] {
    return [...this.#peers.values()].filter((peer) => peer.isConnected);
  }

  /** Where the system listens: what others give to {@link ClusterSystem.connect}. Undefined when it does not. */
  get uri(): string | undefined {
    return this.#portals.get(mainPlace);
  }

  /** @internal Listens: the main context at `uri`, the others where their threads were told to. */
  async listen(uri: string): Promise<void> {
    this.#isListening = true;
    this.#portals.set(mainPlace, await this.#links.listen(uri));
    const { host } = this.#system;
    const workers = host.places.all.filter(({ place }) => place !== mainPlace);
    await Promise.all(workers.map(({ place }) => this.#askForPortal(place)));
    this.#requireReceptionist();
  }

  /** @internal */
  connect(uri: string, options: ConnectPeerOptions): Promise<PeerSystem> {
    if (this.#isClosing) throw new HeddleError('ERR_HEDDLE_CLOSED', 'the actor system was closed');
    const known = this.#byUri.get(uri);
    if (known !== undefined) return known;
    const connecting = this.#connect(uri, options);
    this.#byUri.set(uri, connecting);
    const forget = () => {
      if (this.#byUri.get(uri) === connecting) this.#byUri.delete(uri);
    };
    connecting.then((peer) => {
      // One that connected to this side, or is not to be connected to again, is asked for anew once it is lost.
      if (options.reconnect === false || peer.uri !== uri) peer.onDetached = forget;
    }, forget);
    return connecting;
  }

  /** @internal Ends the connections with all nodes. */
  async close(): Promise<void> {
    this.#isClosing = true;
    for (const timer of this.#redials.values()) timer.cancel();
    for (const node of [...this.#announcements.keys()]) this.#leave(node, undefined);
    await this.#links.close();
  }

  // ---- connecting

  async #connect(uri: string, options: ConnectPeerOptions): Promise<PeerSystem> {
    const peer: PeerSystem = new PeerSystem(uri, '', async () => {
      peer.isClosed = true;
      this.#redials.get(peer)?.cancel();
      this.#redials.delete(peer);
      this.#byUri.delete(uri);
      this.#leave(peer.node, undefined);
    });
    if (options.reconnect !== false) peer.on('lost', () => this.#redial(peer, options, firstRedialMs));
    return this.#dial(peer, options);
  }

  /** Resolves to the peer, or to the one that stands for that node already. */
  async #dial(peer: PeerSystem, { secret }: ConnectPeerOptions): Promise<PeerSystem> {
    let node = '';
    const onIntroduced = (introduction: Introduction): NodeDescription => {
      node = introduction.node;
      if (node === this.#system.host.systemId) {
        throw new HeddleError('ERR_HEDDLE_INVALID_ARGUMENT', `${peer.uri} is this very system: connect to another one`);
      }
      if (this.#announcements.has(node)) throw alreadyConnected(node);
      this.#dialing.add(node);
      return this.#describe();
    };
    try {
      const { contexts, receptionist } = await this.#links.dialMain(peer.uri as string, secret, onIntroduced);
      this.#peers.set(node, peer);
      this.#receptionists.set(node, receptionist);
      await this.#announce({ node, contexts, isDialer: true, secret });
      // It may have gone again meanwhile.
      if (!this.#announcements.has(node)) throw nodeLost(`${node}/main`);
      this.#welcome(node);
      peer.receptionist?.tell('ready', this.#system.host.systemId);
      return peer;
    } catch (error) {
      if (error instanceof HeddleError && error.code === 'ERR_HEDDLE_INVALID_STATE' && node !== '') {
        return await this.#whenConnected(node, error);
      }
      if (node !== '' && this.#peers.get(node) === peer) this.#leave(node, error as HeddleError);
      throw error;
    } finally {
      this.#dialing.delete(node);
    }
  }

  /** The node is connected already, or is about to be, from its side. */
  #whenConnected(node: string, error: HeddleError): Promise<PeerSystem> {
    const connected = this.#peers.get(node);
    if (connected?.isConnected === true) return Promise.resolve(connected);
    return new Promise((resolve, reject) => {
      const onConnected = (peer: PeerSystem) => {
        if (peer.node === node) settle(() => resolve(peer));
      };
      const timer = this.#system.host.clock.setTimer(incomingTimeoutMs, () => settle(() => reject(error)));
      const settle = (act: () => void) => {
        timer.cancel();
        this.off('connected', onConnected);
        act();
      };
      this.on('connected', onConnected);
    });
  }

  #redial(peer: PeerSystem, options: ConnectPeerOptions, delayMs: number): void {
    if (this.#isClosing || peer.isClosed) return;
    const timer = this.#system.host.clock.setTimer(delayMs, () => {
      this.#redials.delete(peer);
      this.#dial(peer, options).catch(() => {
        if (!peer.isConnected) this.#redial(peer, options, Math.min(longestRedialMs, delayMs * 2));
      });
    });
    this.#redials.set(peer, timer);
  }

  // ---- what the connections report

  async #onNode(description: NodeDescription): Promise<NodeDescription> {
    const { node, contexts, receptionist } = description;
    const own = this.#system.host.systemId;
    if (this.#isClosing) throw new HeddleError('ERR_HEDDLE_CLOSED', `${own} is closing`);
    // When both sides dial at once, the connection that the lesser id began is kept.
    if (this.#announcements.has(node) || (this.#dialing.has(node) && own < node)) throw alreadyConnected(node);
    this.#receptionists.set(node, receptionist);
    const waiting = [...this.#peers.values()].find((peer) => peer.node === node);
    const peer: PeerSystem = waiting ?? new PeerSystem(undefined, node, async () => this.#leave(peer.node, undefined));
    this.#peers.set(node, peer);
    await this.#announce({ node, contexts, isDialer: false, secret: undefined });
    return this.#describe();
  }

  #onControl(node: string): void {
    // Who dialed says when all connections stand; see `ready`.
    const receptionist = this.#receptionists.get(node);
    if (receptionist === undefined) return;
    this.#attach(node, receptionist);
  }

  #attach(node: string, { slot, generation }: NodeDescription['receptionist']): void {
    const { host } = this.#system;
    const place = host.places.remote.numberOf(node, mainPlace);
    this.#peers.get(node)?.attach(node, host.makeRef(place, slot, generation, Receptionist.name));
  }

  #welcome(node: string): void {
    const peer = this.#peers.get(node);
    const receptionist = this.#receptionists.get(node);
    if (peer === undefined || receptionist === undefined) return;
    this.#attach(node, receptionist);
    peer.emit('connected');
    this.emit('connected', peer);
  }

  /** `error` is undefined when this side has closed it. */
  #leave(node: string, error: HeddleError | undefined): void {
    if (!this.#announcements.delete(node)) return;
    this.#receptionists.delete(node);
    this.#links.leave(node);
    for (const place of this.#workersUp()) {
      this.#system.host.post(place, { type: 'extension', name: clusterExtension, payload: { do: 'leave', node } });
    }
    const peer = this.#peers.get(node);
    this.#peers.delete(node);
    if (peer === undefined) return;
    const wasConnected = peer.isConnected;
    peer.detach(error);
    if (wasConnected && error !== undefined) this.emit('lost', peer, error);
  }

  // ---- what contexts know

  /** Tells all contexts of a node; resolves when each has done what it could. */
  async #announce(announcement: NodeAnnouncement): Promise<void> {
    this.#announcements.set(announcement.node, announcement);
    await Promise.all([
      this.#links.enter(announcement),
      ...this.#workersUp().map((place) => this.#tellContext(place, announcement)),
    ]);
  }

  async #tellContext(place: number, announcement: NodeAnnouncement): Promise<void> {
    try {
      await this.#request(place, { do: 'enter', announcement }, announceTimeoutMs);
    } catch (error) {
      // One that is being replaced is told when it has been.
      if ((error as HeddleError).code !== 'ERR_HEDDLE_CONTEXT_LOST') this.#warn(error);
    }
  }

  #workersUp(): number[] {
    const { all } = this.#system.host.places;
    return all.filter(({ place, status }) => place !== mainPlace && status === 'up').map(({ place }) => place);
  }

  #request(place: number, payload: ClusterPost, timeoutMs: number): Promise<unknown> {
    return this.#system.host.request(place, { type: 'extension', name: clusterExtension, payload }, timeoutMs);
  }

  async #askForPortal(place: number): Promise<void> {
    this.#portals.set(place, String(await this.#request(place, { do: 'portal' }, portalTimeoutMs)));
  }

  /** A context has a new thread: it must learn of the nodes, and they of its portal. */
  async #onReplaced(name: string): Promise<void> {
    const place = this.#system.host.places.byName(name)?.place;
    if (place === undefined || this.#isClosing) return;
    if (this.#isListening) await this.#askForPortal(place);
    await Promise.all([...this.#announcements.values()].map((announcement) => this.#tellContext(place, announcement)));
    this.#describeToAll();
  }

  #describe(): NodeDescription {
    const { host } = this.#system;
    const contexts = host.places.all
      .filter(({ status }) => status !== 'gone')
      .map(({ place, name }) => ({ place, name, portal: this.#portals.get(place) ?? '' }));
    const { slot, generation } = this.#requireReceptionist();
    return { node: host.systemId, contexts, receptionist: { slot, generation } };
  }

  /** Tells all nodes what contexts there are now. */
  #describeToAll(): void {
    const { peers } = this;
    if (this.#isClosing || peers.length === 0) return;
    const description = this.#describe();
    for (const peer of peers) peer.receptionist?.ask('describe', description).catch((error) => this.#warn(error));
  }

  async #onDescription({ node, contexts }: NodeDescription): Promise<void> {
    const known = this.#announcements.get(node);
    if (known !== undefined) await this.#announce({ ...known, contexts });
  }

  #requireReceptionist(): Ref {
    this.#receptionist ??= this.#system.host.spawner.spawnHere(this.#system.host.root, Receptionist, {
      host: this.#system.host,
      registered: this.#registered,
      onDescription: (description: NodeDescription) => this.#onDescription(description),
      onReady: (node: string) => this.#welcome(node),
    });
    return this.#receptionist;
  }

  #warn(error: unknown): void {
    if (this.#system.host.isClosing || (error as HeddleError).code === 'ERR_HEDDLE_NODE_LOST') return;
    const { message, code } = error as HeddleError;
    process.emitWarning(`cluster: ${message}`, { code });
  }
}

function alreadyConnected(node: string): HeddleError {
  return new HeddleError('ERR_HEDDLE_INVALID_STATE', `node ${node} is connected already`);
}
