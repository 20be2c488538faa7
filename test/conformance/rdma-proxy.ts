import { TcpProxy } from './tcp-proxy.js';
import type { CuttableWire } from './transports.js';

/** Bytes that a wire carries, at a guess, while the event loop goes round once. */
const bytesPerTurn = 64 * 1024;

/**
 * Stands between UCX clients and a portal. UCX makes each connection by a socket that it keeps, and carries the data by
 * others, between addresses that it finds itself. So the proxy sees that one socket; but its end is the connection's end.
 */
export class RdmaProxy implements CuttableWire {
  readonly uri: string;
  readonly #proxy: TcpProxy;

  /** Listens at an address of the device, where there is one: from another interface UCX finds no way to it. */
  static async to(portalUri: string, listeningHost: string): Promise<RdmaProxy> {
    return new RdmaProxy(await TcpProxy.to(portalUri, listeningHost));
  }

  private constructor(proxy: TcpProxy) {
    this.#proxy = proxy;
    this.uri = proxy.uri.replace('tcp:', 'rdma:');
  }

  cut(): void {
    this.#proxy.cut();
  }

  /** The data does not come by here: the cut falls after as many turns of the event loop as the bytes may take. */
  cutAfterBytes(bytes: number): void {
    let turns = 1 + Math.ceil(bytes / bytesPerTurn);
    const turn = () => {
      if (--turns === 0) this.cut();
      else setImmediate(turn);
    };
    setImmediate(turn);
  }

  refuse(refusing: boolean): void {
    this.#proxy.refuse(refusing);
  }

  close(): Promise<void> {
    return this.#proxy.close();
  }
}
