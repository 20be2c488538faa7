import { once } from 'node:events';
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import type { ContextEnd, ContextOptions, ContextStatistics } from '../../src/index.js';
import type { PeerOperation } from './fixtures/peer.js';
import type { RelayTask } from './fixtures/peer-relay.js';
import { Peer, type PeerHandle } from './peer.js';

const relayUrl = new URL('./fixtures/peer-relay.js', import.meta.url);
const fetchTimeoutMs = 60_000;

/** Where a host of peers (fixtures/peer-host.ts) listens. */
export interface PeerAddress {
  readonly host: string;
  readonly port: number;
}

/** A peer in another process, or on another host. */
export class RemotePeer extends Peer {
  readonly handle: PeerHandle = {
    stop: () => this.#perform('stop') as Promise<ContextEnd>,
    terminate: () => this.#perform('terminate') as Promise<ContextEnd>,
    statistics: () => this.#perform('statistics') as Promise<ContextStatistics>,
    getOptions: () => this.#perform('getOptions') as Promise<ContextOptions>,
    setOptions: (changes) => this.#perform('setOptions', changes) as Promise<void>,
  };
  readonly #messages: MessagePort;
  readonly #relay: Worker;
  readonly #fetched: Int32Array;
  #lastFetch = 0;
  #isClosed = false;

  static async start(address: PeerAddress, options: Partial<ContextOptions>, timeoutMs: number): Promise<RemotePeer> {
    const { port1, port2 } = new MessageChannel();
    const fetched = new Int32Array(new SharedArrayBuffer(4));
    const task: RelayTask = { ...address, messages: port2, fetched };
    const relay = new Worker(relayUrl, { workerData: task, transferList: [port2] });
    const peer = new RemotePeer(port1, relay, fetched);
    const failed = once(relay, 'exit').then(() => {
      throw new Error(`no peers are to be had at ${address.host}:${address.port}`);
    });
    await Promise.race([peer.#perform('start', { options, timeoutMs }), failed]);
    failed.catch(() => {});
    return peer;
  }

  private constructor(messages: MessagePort, relay: Worker, fetched: Int32Array) {
    super(messages);
    this.#messages = messages;
    this.#relay = relay;
    this.#fetched = fetched;
  }

  async block(): Promise<() => Promise<void>> {
    await this.#perform('block');
    return () => this.#perform('unblock') as Promise<void>;
  }

  override async close(): Promise<void> {
    this.#isClosed = true;
    const exited = once(this.#relay, 'exit');
    super.close();
    await exited;
  }

  /** Waits for it with the whole thread: who reads a log does not wait for promises. */
  protected override fetchNotes(): void {
    if (this.#isClosed) return;
    const fetch = ++this.#lastFetch;
    this.#messages.postMessage({ fetch });
    for (;;) {
      const seen = Atomics.load(this.#fetched, 0);
      if (seen >= fetch) return;
      if (Atomics.wait(this.#fetched, 0, seen, fetchTimeoutMs) === 'timed-out') throw new Error('the peer is silent');
    }
  }

  #perform(operation: PeerOperation, argument?: unknown): Promise<unknown> {
    return this.ask({ operation, argument });
  }
}
