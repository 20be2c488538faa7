import type { Clock } from '../clock.js';
import type { HeddleError } from '../errors.js';
import type { MemoryBlock } from './record.js';
import type { RecordWriter } from './record-writer.js';

/**
 * The one interface between the runtime and what carries its records: shared memory, TCP, RDMA, and in tests a
 * simulated network. A transport moves records, in order, without loss, until its link closes; it knows nothing of
 * sessions, messages or actors. Each context has its own instance of each transport that it uses.
 */
export interface Transport {
  /** The scheme of its portal URIs, without the colon: `shm`, `tcp`. */
  readonly scheme: string;

  /**
   * Listens at `uri`. Every wire that a peer opens to it is reported to the host's `onLink`.
   * Rejects with `ERR_HEDDLE_ADDRESS_IN_USE` or `ERR_HEDDLE_INVALID_URI`.
   */
  listen(uri: string, options: TransportOptions): Promise<Portal>;

  /**
   * Opens a wire to the portal at `uri`; the promise resolves when records can be sent.
   * Rejects with `ERR_HEDDLE_REFUSED` (nothing listens), `ERR_HEDDLE_TIMEOUT`, `ERR_HEDDLE_VERSION`,
   * `ERR_HEDDLE_PROTOCOL` (what listens is not heddle), `ERR_HEDDLE_INVALID_URI`.
   * Two calls may resolve to the same link where the transport shares one wire between portals.
   */
  connect(uri: string, options: TransportOptions): Promise<Link>;

  /**
   * Hands records that have arrived to the links' receivers, about `budgetRecords` of them at the most, and returns
   * how many. One that holds several messages counts for as many. Transports whose records arrive in callbacks of the
   * event loop return 0.
   */
  poll(budgetRecords: number): number;

  /**
   * Announces that the context is about to sleep in the event loop: from now on a peer that publishes wakes it.
   * Returns false, and changes nothing, when records have arrived already.
   */
  beginSleep(): boolean;

  /** Takes the announcement back: the context polls again. Harmless when it was not asleep. */
  endSleep(): void;

  /** Closes all portals and links. Resolves when nothing of it keeps the process alive. */
  close(): Promise<void>;
}

/** How a transport listens and connects. Options that a transport has no use for are ignored by it. */
export interface TransportOptions {
  /** How long connecting may take, in milliseconds. */
  readonly connectTimeoutMs: number;
  /** Bytes of a frame that leaves in one write (tcp). */
  readonly frameBytes: number;
  /** Bytes that may wait in a socket before the link reports that it has no room (tcp). */
  readonly socketBufferBytes: number;
  /** Type of service or traffic class of the packets sent, 0 to 255 (tcp). Absent or 0: what the system does. */
  readonly typeOfService?: number | undefined;
  /** TLS for tcp: options of node:tls, `connect` or `createServer`. Absent: plain TCP. */
  readonly tls?: object | undefined;
}

/** The wire that a link really uses. */
export interface WireDescription {
  /** `shm` or `tcp`; over rdma the names of UCX's transports, as in `UCX_TLS`: `rc_verbs`, `tcp`. The one of the messages first. */
  readonly transports: readonly string[];
  /** The devices, as UCX names them: `mlx5_0:1`, `eth0`. */
  readonly devices: readonly string[];
  /** Whether messages go through an RDMA device: InfiniBand, RoCE, or a software RDMA device of the kernel. */
  readonly usesRdmaDevice: boolean;
}

/** An address where a context listens. */
export interface Portal {
  /** The address as others reach it: a port of 0 is replaced by the real one. */
  readonly uri: string;
  /** Stops listening. Links that were opened through it stay. */
  close(): Promise<void>;
}

/** What a context gives to its transports. */
export interface TransportHost {
  readonly clock: Clock;
  /** Receives every record of every link of this context. */
  readonly receiver: RecordReceiver;
  /** A wire that a peer opened to a portal of this context. */
  onLink(link: Link): void;
  /**
   * Call from an event loop callback in which records have arrived or room has been made, before delivering them:
   * sends made by handlers are then gathered until `leaveTurn`.
   */
  enterTurn(): void;
  /** Call at the end of that callback: publishes what handlers sent. */
  leaveTurn(): void;
  /** Call when the context was woken from its sleep: it will poll soon. */
  wake(): void;
  /** Call when a peer that slept was woken, by whatever means the transport has for it: it is counted. */
  onDoorbellRung(): void;
  /** Something unexpected that harmed nothing but should be seen: it is reported as a context event. */
  report(error: HeddleError): void;
}

/** Takes what links deliver. */
export interface RecordReceiver {
  /**
   * One record of an upper layer's type. `start` is the byte offset of its header in `block`, `lengthBytes` the value
   * of its length word, checked to lie inside of what arrived. The bytes may be reused as soon as the call returns.
   * Returns how many messages the record held, for the budgets of polls; 1 for one that is no message.
   */
  onRecord(link: Link, block: MemoryBlock, start: number, lengthBytes: number): number;
  /** A claim failed before for lack of room; there is room now. */
  onWritable(link: Link): void;
  /**
   * The link has ended: nothing arrives from it any more and nothing can be sent. Called once for each link, also
   * after `close()`; without an error when this side closed it without one, or the peer did.
   */
  onLinkClosed(link: Link, error: HeddleError | undefined): void;
}

/**
 * Carries the data of large messages beside the records, from the sender's memory to memory of the receiver's choice.
 * All memory is shared memory (views over SharedArrayBuffers), and must neither change hands nor be reused before the
 * operation is done.
 */
export interface BufferCarrier {
  /** A number for a transfer, to be told to the peer in a record. */
  nextTransfer(): number;
  /**
   * Offers `bytes`, at least one, to the peer under that number. `onDone` is called once: without an error when the peer has
   * them, and in any case not before the memory is free again. Never from inside of this call.
   */
  send(transfer: number, bytes: Uint8Array, onDone: (error: HeddleError | undefined) => void): void;
  /** Takes what the peer offers, or will offer, under that number into `target`, which is exactly as long. As `send`. */
  receive(transfer: number, target: Uint8Array, onDone: (error: HeddleError | undefined) => void): void;
  /** Nobody here wants what the peer offers, or will offer, under that number. */
  discard(transfer: number): void;
}

/** Memory of this side that the peer of one link reaches by the wire alone. */
export interface ExposedMemory {
  /** What the peer needs in order to reach it. */
  readonly address: bigint;
  readonly key: Uint8Array;
  /** The peer has said that it does not use it any more. Without this it is released when the link's end has been carried out. */
  release(): void;
}

/** Memory of the peer that this side reaches by the wire alone. */
export interface RemoteMemory {
  /** Whether the wire is still there by which it was attached. */
  readonly isUsable: boolean;
  /**
   * Copies from the peer's memory at `offset` into `target`. `onEnd` is called once, when the wire works on it no more: with
   * an error, too, and at the latest when the link's end has been carried out.
   */
  read(offset: number, target: Uint8Array, onEnd: (error?: HeddleError) => void): RemoteTransfer;
  /** Copies `data` to the peer's memory at `offset`, likewise; without an error the bytes are there when it has ended. */
  write(offset: number, data: Uint8Array, onEnd: (error?: HeddleError) => void): RemoteTransfer;
  /** It is not used any more. Nothing is under way. */
  release(): void;
}

/** A read or write that is under way. */
export interface RemoteTransfer {
  /** Nobody waits for it any more: the bytes given with it are not touched from now on. `onEnd` is called nonetheless. */
  abandon(): void;
}

/** What a link offers whose wire reaches memory without the thread at the other end. Nothing goes by it unless both sides offer it. */
export interface OneSidedWire {
  /** Lets the peer reach these bytes, until `onReleased` is called. Undefined when the wire cannot. */
  expose(bytes: Uint8Array, onReleased: () => void): ExposedMemory | undefined;
  /** Reaches what the peer has exposed. Not usable from the beginning when the wire cannot: the peer has yet to be told so. */
  attach(address: bigint, key: Uint8Array): RemoteMemory;
}

/** The wire between one context and one portal, shared by every session of that context to that portal. */
export interface Link {
  /** Number of the link in this context, never used twice. */
  readonly id: number;
  /** Where records are placed. */
  readonly writer: RecordWriter;
  /** The peer's address as far as it is known, for error messages and properties. */
  readonly peerAddress: string;
  /** This side's address as far as it is known. */
  readonly localAddress: string;
  /** The wire that the link really uses, where the transport says so. */
  readonly wireDescription?: WireDescription | undefined;
  /** The URI of this context's own portal through which the peer came; undefined on the side that connected,
   * and where one wire serves all portals of a context (shm). */
  readonly portalUri: string | undefined;
  /** The largest record that `writer.claim` can ever make room for. */
  readonly maximumRecordBytes: number;
  /** Whether peers are threads of this process, so that a SharedArrayBuffer can be handed over. */
  readonly sharesMemory: boolean;
  /** Carries large data beside the records; undefined where it has to go in records, or where memory is shared. */
  readonly buffers?: BufferCarrier | undefined;
  /** The context at the other end, where `sharesMemory`; -1 elsewhere. */
  readonly peerContextId: number;
  /** The random id of the peer's process, where the wire leads to one: another one at the same address is another process. */
  readonly peerInstanceId?: string | undefined;
  /**
   * What names the encrypted channel below the link, the same on both sides and for no other channel; undefined where there
   * is none. Who proves something to the peer binds the proof to it.
   */
  channelBinding?(): Uint8Array | undefined;
  /** Whether the link can be used. */
  readonly isOpen: boolean;
  /** Makes every record claimed so far visible to the peer, and wakes it if it sleeps. None of them is extended then. */
  publish(): void;
  /** Bytes that were claimed and that the peer has not taken out yet, where the transport knows (ring or socket). */
  occupancyBytes(): number;
  /**
   * Hands a slab to the peer, ahead of the record that names it. Only where `sharesMemory`.
   * Handing over the same slab again does nothing.
   */
  shareSlab(slabId: number, memory: SharedArrayBuffer): void;
  /** The slab that the peer handed over under `slabId`; undefined when it never did. Only where `sharesMemory`. */
  sharedSlab(slabId: number): SharedArrayBuffer | undefined;
  /** The slab is not used any more, by either side: both let go of its memory. Only where `sharesMemory`. */
  forgetSlab(slabId: number): void;
  /** Where the wire reaches memory by itself, and the context wants that. */
  readonly oneSided?: OneSidedWire | undefined;
  /**
   * Publishes and ends the link. With an error the peer is told where that is possible and `onLinkClosed` here
   * carries it. `onLinkClosed` follows before the call returns or soon after.
   */
  close(error?: HeddleError): void;
}
