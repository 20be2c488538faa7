import type { ContextOptions } from '../../src/index.js';
import { RdmaProxy } from './rdma-proxy.js';
import type { PeerAddress } from './remote-peer.js';
import { TcpProxy } from './tcp-proxy.js';

/** A wire that a test can cut, put between a client and a portal. */
export interface CuttableWire {
  /** Where clients connect instead of at the portal. */
  readonly uri: string;
  /** Breaks every connection that goes through; new ones are let through, unless `refuse` says otherwise. */
  cut(): void;
  /** Breaks all connections as soon as this many more bytes have gone from the client to the portal. */
  cutAfterBytes(bytes: number): void;
  /** Whether new connections are turned away. */
  refuse(refusing: boolean): void;
  close(): Promise<void>;
}

/** A transport that the suite runs over. To run it over another, add it to {@link transports} and write a test file for it. */
export interface TestedTransport {
  readonly name: string;
  /** A portal URI that no other test uses. */
  portal(): string;
  /** A URI of this transport at which nothing listens. */
  nowhere(): string;
  /** Where the wire to a portal can be cut from outside. */
  readonly wire: ((portalUri: string) => Promise<CuttableWire>) | undefined;
  /** Whether what was sent just before a cut is lost by it; else it may well arrive first. */
  readonly cutLosesData: boolean;
  /** Options that all contexts of a test have. */
  readonly contextOptions?: Partial<ContextOptions>;
  /** Whether contexts at both ends can share memory. */
  readonly sharesMemory: boolean;
  /** Where peers are to be had that are not in this process; else they are threads of it. */
  readonly peersAt?: () => Promise<PeerAddress>;
}

/** An address of an RDMA device, by which alone data goes: the verbs lab has one. */
export const givenRdmaHost = process.env.HEDDLE_TEST_RDMA_HOST;
/** Where the rdma portals are. */
export const rdmaHost = givenRdmaHost ?? '127.0.0.1';
let names = 0;

/**
 * A port at which nobody listens. One that was free a moment ago would not do: tests that run beside this one are given
 * such ports by the system. It gives none of the first ones.
 */
const deadPort = () => 1 + (names++ % 6);

export const transports = {
  shm: {
    name: 'shm',
    portal: () => `shm://conformance-${names++}`,
    nowhere: () => `shm://nobody-${names++}`,
    wire: undefined,
    cutLosesData: true,
    sharesMemory: true,
  },
  tcp: {
    name: 'tcp',
    portal: () => 'tcp://127.0.0.1:0',
    nowhere: () => `tcp://127.0.0.1:${deadPort()}`,
    wire: (portalUri) => TcpProxy.to(portalUri),
    cutLosesData: true,
    sharesMemory: false,
  },
  rdma: {
    name: 'rdma',
    portal: () => `rdma://${rdmaHost}:0`,
    nowhere: () => `rdma://${rdmaHost}:${deadPort()}`,
    wire: (portalUri) => RdmaProxy.to(portalUri, rdmaHost),
    cutLosesData: false,
    sharesMemory: false,
  },
} satisfies Record<string, TestedTransport>;
