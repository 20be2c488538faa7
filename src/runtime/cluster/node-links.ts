import { HeddleError } from '../../errors.js';
import { readEnvelope } from '../actors/buffers.js';
import type { Caller } from '../actors/caller.js';
import type { ActorHost } from '../actors/host.js';
import { mainPlace, type PlaceStatus } from '../actors/places.js';
import type { RemotePlace } from '../actors/remote-places.js';
import type { Connection } from '../session/connection.js';
import type { SessionEvent } from '../session/events.js';
import type { SessionHandlers } from '../session/handlers.js';
import type { ConnectionOptions } from '../session/options.js';
import type { Server } from '../session/server.js';
import type { ServerSession } from '../session/server-session.js';
import { Acceptor } from './acceptor.js';
import { dial } from './dialer.js';
import type { ContextDescription, Introduction, NodeDescription } from './introduction.js';
import { secretKey } from './proof.js';
import { Way } from './way.js';

/** What the main context decides about nodes. */
export interface NodeLinksOwner {
  /** A node has proved itself and described itself: resolves to this node's own description, or refuses by throwing. */
  onNode(description: NodeDescription): Promise<NodeDescription>;
  /** The connection between the main contexts of both nodes stands. */
  onControl(node: string): void;
  /** That connection has ended: the node is lost. */
  onControlLost(node: string, error: HeddleError): void;
  /** Somebody was refused. */
  onRefused(error: HeddleError): void;
}

/** A node that this context is to have connections with, as the main context announces it. */
export interface NodeAnnouncement {
  readonly node: string;
  readonly contexts: readonly ContextDescription[];
  /** Whether this side opens the connections. */
  readonly isDialer: boolean;
  /** What this side proves to it; undefined: the system's own secret. */
  readonly secret: string | undefined;
}

interface KnownNode {
  readonly isDialer: boolean;
  readonly secret: string | undefined;
  /** By place there. */
  readonly ways: Map<number, Way>;
}

interface Attached {
  readonly caller: Caller;
  readonly introduction: Introduction;
}

/** One context's connections with the contexts of other nodes: one for each of them, which carries both directions. */
export class NodeLinks {
  readonly host: ActorHost;
  readonly options: Partial<ConnectionOptions>;
  /** What this side proves unless told otherwise. */
  readonly key: Buffer;
  readonly owner: NodeLinksOwner | undefined;
  readonly #nodes = new Map<string, KnownNode>();
  readonly #attached = new Map<Connection, Attached>();
  #server: Server | undefined;

  constructor(
    host: ActorHost,
    secret: string | undefined,
    options: Partial<ConnectionOptions>,
    owner?: NodeLinksOwner,
  ) {
    this.host = host;
    this.options = options;
    this.key = secretKey(secret);
    this.owner = owner;
  }

  /** Listens for other nodes; resolves to the portal's URI. */
  async listen(uri: string): Promise<string> {
    const acceptor = new Acceptor(this);
    this.#server = await this.host.context.listen(uri, {
      ...this.handlers((connection) => acceptor.forget(connection)),
      options: this.options,
      onSession: (request) => acceptor.onSession(request),
      onRequest: (message, connection) => acceptor.onRequest(message, connection),
    });
    return this.#server.uri;
  }

  /** What connections between nodes are made with, on both sides. */
  handlers(onTeardown: (connection: Connection) => void): SessionHandlers {
    const { host } = this;
    return {
      onMessage: (message, connection) => {
        const attached = this.#attached.get(connection);
        if (attached === undefined) {
          connection.destroy(new HeddleError('ERR_HEDDLE_PROTOCOL', 'a message came before the secret was proved'));
        } else if (readEnvelope(message, connection, host)) host.links.receive(attached.caller, host.incoming);
      },
      onEvent: (event: SessionEvent) => {
        if (event.type === 'message-error' && event.kind === 'one-way') host.deadLetters.counts['node-lost']++;
        if (event.type !== 'connection-teardown') return;
        onTeardown(event.connection);
        this.#detach(event.connection);
      },
    };
  }

  /** Whether the main context has announced that node. */
  knows(node: string): boolean {
    return this.#nodes.has(node);
  }

  /** Opens a connection with the main context of whatever node listens there. */
  dialMain(
    uri: string,
    secret: string | undefined,
    onIntroduced: (peer: Introduction) => NodeDescription,
  ): Promise<NodeDescription> {
    return dial(this, uri, { secret, onIntroduced });
  }

  /** @internal A session of a peer that came here. */
  serverSession(id: string): ServerSession | undefined {
    return this.#server?.sessions.find((session) => session.id === id);
  }

  /**
   * Begins or changes the connections with a node. Resolves when this side, if it opens them, has opened all, or could not
   * open one at the first try: it goes on trying.
   */
  async enter({ node, contexts, isDialer, secret }: NodeAnnouncement): Promise<void> {
    let known = this.#nodes.get(node);
    if (known === undefined) {
      known = { isDialer, secret, ways: new Map() };
      this.#nodes.set(node, known);
    }
    for (const [place, way] of known.ways) {
      if (contexts.some((one) => one.place === place)) continue;
      known.ways.delete(place);
      way.close();
      this.#setStatus(way, 'gone');
    }
    const dialed: Promise<void>[] = [];
    for (const description of contexts) {
      let way = known.ways.get(description.place);
      if (way === undefined) {
        way = new Way(this.host.places.remote.numberOf(node, description.place), node, description);
        known.ways.set(description.place, way);
        this.#setStatus(way, 'down');
      } else way.describe(description);
      if (known.isDialer && !this.#isControl(description.place)) dialed.push(this.#open(known, way));
    }
    await Promise.all(dialed);
  }

  /** Ends the connections with a node: gracefully when it is closed on request. */
  leave(node: string): void {
    const known = this.#nodes.get(node);
    if (known === undefined) return;
    this.#nodes.delete(node);
    for (const way of known.ways.values()) {
      way.close();
      this.#setStatus(way, 'gone');
      this.host.links.discard(way.place);
    }
  }

  /** Stops listening, and ends all connections with other nodes. */
  async close(): Promise<void> {
    for (const node of [...this.#nodes.keys()]) this.leave(node);
    await this.#server?.close();
  }

  /** A connection whose other side has proved itself carries the messages of actors from now on. */
  attach(connection: Connection, introduction: Introduction): void {
    const { node, place } = introduction;
    const way = this.#nodes.get(node)?.ways.get(place);
    if (way === undefined) {
      throw new HeddleError('ERR_HEDDLE_INVALID_STATE', `context ${place} of ${node} is not known here`);
    }
    const caller = this.host.links.adopt(connection, way.place);
    this.#attached.set(connection, { caller, introduction });
    way.use(connection);
    this.#setStatus(way, 'up');
    if (this.#isControl(place)) this.owner?.onControl(node);
  }

  #detach(connection: Connection): void {
    const attached = this.#attached.get(connection);
    if (attached === undefined) return;
    this.#attached.delete(connection);
    this.host.links.dropCaller(connection);
    const { node, place } = attached.introduction;
    const known = this.#nodes.get(node);
    const way = known?.ways.get(place);
    if (known === undefined || way === undefined || !way.lose(connection)) return;
    this.#setStatus(way, 'down');
    if (this.#isControl(place)) this.owner?.onControlLost(node, connection.theEndError());
    else if (known.isDialer) void this.#open(known, way);
  }

  /** Whether that is the one connection by which two nodes know of each other. */
  #isControl(place: number): boolean {
    return this.host.place === mainPlace && place === mainPlace;
  }

  #open(known: KnownNode, way: Way): Promise<void> {
    return way.open(this.host.clock, () =>
      dial(this, way.portal, {
        secret: known.secret,
        onIntroduced: ({ node, place }) => {
          if (node === way.node && place === way.index) return undefined;
          throw new HeddleError(
            'ERR_HEDDLE_NODE_LOST',
            `another node or context listens at ${way.portal} now: ${node}`,
          );
        },
      }).then(() => {}),
    );
  }

  #setStatus({ place, node, index, name, portal }: Way, status: PlaceStatus): void {
    const remote: RemotePlace = { place, node, index, portal, status, name: `${node}/${name}` };
    this.host.onPlace(remote);
  }
}
