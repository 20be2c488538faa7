import type { Clock } from '../../clock.js';
import type { HeddleError } from '../../errors.js';
import type { Link } from '../../transports/transport.js';
import type { OpenedMemories } from '../memory/opened-memory.js';
import type { RegionTable } from '../memory/region-table.js';
import type { SlabPool } from '../memory/slab-pool.js';
import type { Codec } from '../message/codec.js';
import type { StatisticsBlock } from '../observe/statistics.js';
import type { SessionHandlers } from './handlers.js';
import type { PendingRequests } from './pending-requests.js';
import type { OperationWaiter } from './region-client.js';

/** A link as the sessions of one context share it. */
export interface Wire {
  readonly link: Link;
  /** Whether setup records wait for room: nothing of a connection may go before them. */
  isBlocked: boolean;
  /** Whether records have been placed that the peer does not see yet, to be published when the turn ends. */
  isBatching: boolean;
  /** Who is told when the link has room again or ends. */
  readonly users: Set<WireUser>;
}

/** A connection, as its wire knows it. */
export interface WireUser {
  onWritable(): void;
  onLinkClosed(error: HeddleError | undefined): void;
}

/** What the context gives to its sessions and connections. */
export interface SessionHost {
  readonly contextId: number;
  readonly clock: Clock;
  /** The codec of connections with these handlers. */
  codecOf(handlers: SessionHandlers): Codec;
  readonly statistics: StatisticsBlock;
  readonly pool: SlabPool;
  readonly pending: PendingRequests;
  /** The regions that this context has exported. */
  readonly regions: RegionTable;
  /** The memory of other contexts' regions that this context has. */
  readonly openedMemories: OpenedMemories;
  /** Operations on regions that wait for their owners. */
  readonly regionOperations: PendingRequests<OperationWaiter>;
  readonly wires: {
    /** Sees to it that what was placed on the wire is published when the turn ends. */
    batch(wire: Wire): void;
    /** The link has room again for what found none. */
    onWritable(link: Link): void;
  };
  /** A promise of the user's was settled: the turn ends soon, so that its reactions run. */
  endTurnSoon(): void;
  /** A response is expected: the context should not be asleep when it comes. */
  stayAwake(): void;
  /** Runs a callback of the user's: what it throws is reported, and harms nothing else. */
  guard(callback: () => void): void;
  /** What a callback of the user's threw is reported. */
  reportThrown(cause: unknown): void;
  /** Something unexpected that harmed nothing but should be seen. */
  report(error: HeddleError): void;
}
