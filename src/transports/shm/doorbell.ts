import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';

/**
 * Wakes the thread at the other end out of its event loop. Rung only for a peer that announced its sleep, so its cost
 * (about a microsecond here) is paid per sleep and not per message. A native one (eventfd, uv_async) fits behind the
 * same interface.
 */
export interface Doorbell {
  /** Wakes the other side. Never fails: with nobody at the other end it does nothing. */
  ring(): void;
  /** Called in the event loop when the other side has rung; may come late, and more often than needed. */
  onRing: () => void;
}

interface SlabMessage {
  readonly slabId: number;
  readonly memory: SharedArrayBuffer;
}

const ringMessage = 0;
const lastMessage = 1;

/**
 * A doorbell that is a MessagePort, and the way by which slabs (SharedArrayBuffers, which only messages can carry) come
 * to the peer. The port keeps no process alive.
 */
export class PortDoorbell implements Doorbell {
  onRing: () => void = () => {};
  /** Called when something arrives that is none of the doorbell's messages. */
  onUnknown: (what: unknown) => void = () => {};
  /** Called once, when the port is closed on either side. */
  onClosed: () => void = () => {};
  readonly #port: MessagePort;
  /** Bounded by the limit of the peer's slab pool: what that drops is forgotten here. No id is given to two slabs. */
  readonly #slabs = new Map<number, SharedArrayBuffer>();
  readonly #sentSlabs = new Set<number>();
  #finished = false;
  #peerFinished = false;
  #closed = false;

  constructor(port: MessagePort) {
    this.#port = port;
    port.on('message', (message: unknown) => this.#receive(message));
    port.on('messageerror', (error: unknown) => this.onUnknown(error));
    port.on('close', () => this.close());
    // Listening refs the port; what keeps a context alive is the context's own business.
    port.unref();
  }

  /** Whether both sides are done with it, or one side's thread is gone. */
  get isClosed(): boolean {
    return this.#closed;
  }

  ring(): void {
    this.#port.postMessage(ringMessage);
  }

  /** Sends the slab once. A message is in the peer's queue when postMessage returns, so ahead of any later tail. */
  sendSlab(slabId: number, memory: SharedArrayBuffer): void {
    if (this.#sentSlabs.has(slabId)) return;
    this.#sentSlabs.add(slabId);
    this.#port.postMessage({ slabId, memory } satisfies SlabMessage);
  }

  /**
   * The slab that came under `slabId`. One that the event loop has not brought yet is taken out of the port's queue at
   * once; rings found on the way are passed on to `onRing`, so that none is lost.
   */
  slab(slabId: number): SharedArrayBuffer | undefined {
    const known = this.#slabs.get(slabId);
    if (known !== undefined || this.#closed) return known;
    for (let next = receiveMessageOnPort(this.#port); next !== undefined; next = receiveMessageOnPort(this.#port)) {
      this.#receive(next.message);
    }
    return this.#slabs.get(slabId);
  }

  /** Lets go of a slab that is not used any more. */
  forgetSlab(slabId: number): void {
    this.#slabs.delete(slabId);
    this.#sentSlabs.delete(slabId);
  }

  /**
   * Rings once more and promises never to ring again. The port stays open until the peer has promised the same: a
   * peer that does not know yet may just have taken this context's sleeping flag, and its ring must arrive.
   */
  finish(): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#port.postMessage(lastMessage);
    if (this.#peerFinished) this.close();
  }

  /** Closes the port now. What was sent before still arrives. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#port.close();
    this.onClosed();
  }

  #receive(message: unknown): void {
    if (message === ringMessage) {
      this.onRing();
    } else if (message === lastMessage) {
      this.#peerFinished = true;
      this.onRing();
      if (this.#finished) this.close();
    } else if (isSlabMessage(message)) {
      this.#slabs.set(message.slabId, message.memory);
    } else {
      this.onUnknown(message);
    }
  }
}

function isSlabMessage(message: unknown): message is SlabMessage {
  const candidate = message as Partial<SlabMessage> | null;
  return (
    typeof candidate === 'object' &&
    candidate !== null &&
    Number.isInteger(candidate.slabId) &&
    candidate.memory instanceof SharedArrayBuffer
  );
}
