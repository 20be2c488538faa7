import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import type { CuttableWire } from './transports.js';

/** Passes bytes on between TCP clients and a portal until it is told to cut them off. */
export class TcpProxy implements CuttableWire {
  readonly uri: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #isRefusing = false;
  #bytesUntilCut = Infinity;

  static async to(portalUri: string, listeningHost = '127.0.0.1'): Promise<TcpProxy> {
    const { hostname, port } = new URL(portalUri);
    const server = createServer();
    server.listen(0, listeningHost);
    await once(server, 'listening');
    return new TcpProxy(server, hostname, Number(port));
  }

  private constructor(server: Server, host: string, port: number) {
    this.#server = server;
    const { address, port: ownPort } = server.address() as AddressInfo;
    this.uri = `tcp://${address}:${ownPort}`;
    server.on('connection', (client) => {
      if (this.#isRefusing) {
        client.destroy();
        return;
      }
      const portal = connect({ host, port });
      for (const socket of [client, portal]) {
        this.#sockets.add(socket);
        socket.setNoDelay(true);
        socket.on('error', () => {});
        socket.on('close', () => {
          this.#sockets.delete(socket);
          client.destroy();
          portal.destroy();
        });
      }
      portal.pipe(client);
      client.on('data', (bytes) => this.#passOn(bytes, portal));
    });
  }

  #passOn(bytes: Buffer, portal: Socket): void {
    const passing = bytes.subarray(0, this.#bytesUntilCut);
    this.#bytesUntilCut -= passing.length;
    if (this.#bytesUntilCut > 0) {
      portal.write(passing);
      return;
    }
    this.#bytesUntilCut = Infinity;
    portal.write(passing, () => this.cut());
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  cutAfterBytes(bytes: number): void {
    this.#bytesUntilCut = bytes;
  }

  refuse(refusing: boolean): void {
    this.#isRefusing = refusing;
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.cut();
    await closed;
  }
}
