import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Timer } from '../../clock.js';
import { HeddleError } from '../../errors.js';
import { decodeCloseRecord } from '../close-record.js';
import type { SealedFrame } from '../frame-buffer.js';
import { FramedLink, type FramedLinkParts } from '../framed-link.js';
import { formatHostPort } from '../host-uri.js';
import type { MemoryBlock } from '../record.js';
import type { WireDescription } from '../transport.js';

const channelBindingBytes = 32;
/** How long a socket whose link has closed may go without progress before it is destroyed. */
const lingerMs = 2000;
/** How often a closed link that does make progress may be given that time again. */
const maximumLingerRounds = 15;

const tcpWire: WireDescription = { transports: ['tcp'], devices: [], usesRdmaDevice: false };

/** What a link is made of besides its socket. */
export interface TcpLinkParts extends FramedLinkParts {
  /** Called once, when the link can no longer be used; its socket may live on until all is flushed. */
  onEnded(link: TcpLink): void;
}

/** A link over a TCP or TLS socket on which both sides have said hello. */
export class TcpLink extends FramedLink {
  readonly peerAddress: string;
  readonly localAddress: string;
  readonly wireDescription: WireDescription = tcpWire;

  readonly #onEnded: (link: TcpLink) => void;
  readonly #socket: Socket;
  /** Frames that the socket has not finished with, oldest first: it finishes them in order. */
  #firstInFlight: SealedFrame | undefined;
  #lastInFlight: SealedFrame | undefined;
  #lingerTimer: Timer | undefined;

  constructor(socket: Socket, parts: TcpLinkParts) {
    super(parts);
    this.#onEnded = parts.onEnded;
    this.#socket = socket;
    this.peerAddress = socketPeerAddress(socket);
    this.localAddress = socketLocalAddress(socket);
    socket.on('error', this.#onError);
    socket.on('end', this.#onEnd);
    socket.on('close', this.#onSocketClosed);
  }

  /** The keying material of TLS for this use (RFC 5705); undefined over plain TCP. */
  channelBinding(): Buffer | undefined {
    const socket = this.#socket;
    // Node.js loads TLS only for who uses it: the class is not asked for.
    const { exportKeyingMaterial } = socket as Partial<TLSSocket>;
    return exportKeyingMaterial?.call(socket, channelBindingBytes, 'EXPORTER-heddle', Buffer.alloc(0));
  }

  /** Begins to receive: first `rest`, what arrived behind the peer's hello. Called once, by the transport. */
  start(rest: Buffer): void {
    // The socket may have been lost before this link listened to it.
    if (this.#socket.destroyed) {
      this.#onSocketClosed();
      return;
    }
    if (rest.length > 0) this.#onData(rest);
    this.#socket.on('data', this.#onData);
    this.#socket.resume();
  }

  publish(): void {
    this.frameWriter.publish();
  }

  close(error?: HeddleError): void {
    if (!this.isOpen) return;
    const reason = this.frameWriter.publishClose(error);
    // What still arrives is read and dropped until the peer ends too: closing a socket with unread bytes resets the
    // connection, and a reset can overtake what was written last.
    this.#end(reason);
  }

  /** @inheritdoc */
  carry(first: SealedFrame, count: number): void {
    const socket = this.#socket;
    if (this.#lastInFlight === undefined) this.#firstInFlight = first;
    else this.#lastInFlight.next = first;
    // Corked writes leave in one system call.
    if (count > 1) socket.cork();
    for (let frame: SealedFrame | undefined = first; frame !== undefined; frame = frame.next) {
      this.#lastInFlight = frame;
      socket.write(frame.buffer.block.view(frame.start, frame.end), this.#onWritten);
    }
    if (count > 1) socket.uncork();
  }

  /** @inheritdoc */
  onRoom(): void {
    this.host.enterTurn();
    try {
      this.host.receiver.onWritable(this);
    } finally {
      this.host.leaveTurn();
    }
  }

  /** @inheritdoc */
  onRecord(block: MemoryBlock, start: number, lengthBytes: number): void {
    this.host.receiver.onRecord(this, block, start, lengthBytes);
  }

  /** @inheritdoc */
  onCloseRecord(block: MemoryBlock, start: number, lengthBytes: number): void {
    const cause = decodeCloseRecord(block, start, lengthBytes);
    // Closed in order there is as closed in order here: no error.
    if (cause === undefined) this.#end(undefined);
    else this.#end(this.#disconnected(`the peer at ${this.peerAddress} closed the link: ${cause.message}`, cause));
  }

  readonly #onWritten = (error?: Error | null): void => {
    // After an error the frames are left to the garbage collector: the system may still be reading them.
    if (error) return;
    const frame = this.#firstInFlight!;
    this.#firstInFlight = frame.next;
    if (frame.next === undefined) this.#lastInFlight = undefined;
    this.frameWriter.completed(frame);
  };

  readonly #onData = (chunk: Buffer): void => {
    if (!this.isOpen) return;
    this.host.enterTurn();
    let whole = false;
    try {
      const malformed = this.reader.push(chunk);
      if (malformed !== undefined) this.close(malformed);
      whole = true;
    } finally {
      // The receiver threw: the place in the stream is lost, and the link with it.
      if (!whole) this.close(new HeddleError('ERR_HEDDLE_PROTOCOL', 'the receiver of this link failed on a record'));
      this.host.leaveTurn();
    }
  };

  readonly #onError = (cause: Error): void => {
    this.#lose(`the wire to ${this.peerAddress} broke: ${cause.message}`, cause);
  };

  readonly #onEnd = (): void => {
    this.#lose(`the peer at ${this.peerAddress} ended the connection without closing the link; did its process die?`);
  };

  readonly #onSocketClosed = (): void => {
    this.#lingerTimer?.cancel();
    this.#lose(`the wire to ${this.peerAddress} was closed`);
  };

  #lose(message: string, cause?: Error): void {
    if (!this.isOpen) return;
    this.#socket.destroy();
    this.host.enterTurn();
    try {
      this.#end(this.#disconnected(message, cause));
    } finally {
      this.host.leaveTurn();
    }
  }

  #disconnected(message: string, cause?: Error): HeddleError {
    return this.disconnected(message, { insideFrame: !this.reader.isBetweenFrames }, cause);
  }

  /** The one way out of being open. The socket is ended behind what was published, and destroyed should that stall. */
  #end(error: HeddleError | undefined): void {
    this.isOpen = false;
    this.reader.stop();
    this.frameWriter.close();
    if (!this.#socket.destroyed) {
      this.#socket.end();
      this.#socket.resume();
      this.#linger(1, this.frameWriter.occupancyBytes());
    }
    this.#onEnded(this);
    this.host.receiver.onLinkClosed(this, error);
  }

  #linger(round: number, occupancyBytes: number): void {
    const onLingered = () => {
      const now = this.frameWriter.occupancyBytes();
      if (now < occupancyBytes && round < maximumLingerRounds) this.#linger(round + 1, now);
      else this.#socket.destroy();
    };
    // The socket itself keeps the process alive as far as it should be.
    this.#lingerTimer = this.host.clock.setTimer(lingerMs, onLingered, true);
  }
}

/** `host:port` of the other side. */
export function socketPeerAddress(socket: Socket): string {
  return formatAddress(socket.remoteAddress, socket.remotePort);
}

/** `host:port` of this side. */
export function socketLocalAddress(socket: Socket): string {
  return formatAddress(socket.localAddress, socket.localPort);
}

function formatAddress(address: string | undefined, port: number | undefined): string {
  if (address === undefined || port === undefined) return 'an unknown address';
  // A listener on all interfaces sees IPv4 peers under addresses mapped into IPv6.
  return formatHostPort(address.startsWith('::ffff:') ? address.slice(7) : address, port);
}
