/** Two kinds of message have credits of their own; the index of their counters. */
export const postClass = 0;
/**
 * Responses do not share the credits of posts (requests and one-way messages): two sides that hold each other's requests
 * up to the depth could otherwise never answer, each waiting for the other's release.
 */
export const responseClass = 1;

/**
 * What the receiving side of a connection has released, and what of it the peer knows. Counters are cumulative and wrap
 * at 2^32, so that a lost or repeated announcement does no harm.
 */
export class ReleaseLedger {
  readonly depthMessages: number;
  readonly depthBytes: number;
  /** Received and not released, by class. */
  readonly heldMessages = [0, 0];
  readonly heldBytes = [0, 0];
  /** Released since the start, by class: what goes into the credit extension. */
  readonly releasedMessages = [0, 0];
  readonly releasedBytes = [0, 0];
  /** Released and not yet announced to the peer, over both classes. */
  unannouncedMessages = 0;
  unannouncedBytes = 0;
  /** The peer has a message that waits: whatever is released is worth telling at once. */
  isPeerWaiting = false;
  /** Sequenced records received since the peer was told of any: it may keep copies of them. */
  unacknowledgedRecords = 0;

  constructor(depthMessages: number, depthBytes: number) {
    this.depthMessages = depthMessages;
    this.depthBytes = depthBytes;
  }

  /** Takes a message in. False when the peer sent it without having credits for it. */
  receive(messageClass: number, bytes: number): boolean {
    const messages = ++this.heldMessages[messageClass];
    this.heldBytes[messageClass] += bytes;
    return messages <= this.depthMessages && this.heldBytes[messageClass] <= this.depthBytes;
  }

  /** Gives the message's credits back. True when half the depth has gathered and the peer must be told. */
  release(messageClass: number, bytes: number): boolean {
    this.heldMessages[messageClass]--;
    this.heldBytes[messageClass] -= bytes;
    this.releasedMessages[messageClass] = (this.releasedMessages[messageClass] + 1) | 0;
    this.releasedBytes[messageClass] = (this.releasedBytes[messageClass] + bytes) | 0;
    this.unannouncedMessages++;
    this.unannouncedBytes += bytes;
    return this.isAnnouncementDue;
  }

  /** Half the depth has been released since the peer was told, or anything and the peer is known to wait. */
  get isAnnouncementDue(): boolean {
    if (this.isPeerWaiting) return this.unannouncedMessages > 0;
    return this.unannouncedMessages * 2 >= this.depthMessages || this.unannouncedBytes * 2 >= this.depthBytes;
  }

  /** Enough has been released to be worth 24 bytes in a message that goes that way anyway. */
  get isWorthCarrying(): boolean {
    if (this.isPeerWaiting) return this.unannouncedMessages > 0;
    return this.unannouncedMessages * 8 >= this.depthMessages || this.unannouncedBytes * 8 >= this.depthBytes;
  }

  /** Notes that the peer is being told. */
  announced(): void {
    this.unannouncedMessages = 0;
    this.unannouncedBytes = 0;
    this.unacknowledgedRecords = 0;
    // A peer to which it is not enough says so again.
    this.isPeerWaiting = false;
  }
}

/** What the sending side of a connection may still send. */
export class CreditPurse {
  readonly peerDepthMessages: number;
  readonly peerDepthBytes: number;
  /** Messages that may be sent now: posts, responses. */
  readonly messages: [number, number];
  /** Bytes that may be sent now: posts, responses. */
  readonly bytes: [number, number];
  readonly #seenMessages = [0, 0];
  readonly #seenBytes = [0, 0];

  constructor(peerDepthMessages: number, peerDepthBytes: number) {
    this.peerDepthMessages = peerDepthMessages;
    this.peerDepthBytes = peerDepthBytes;
    this.messages = [peerDepthMessages, peerDepthMessages];
    this.bytes = [peerDepthBytes, peerDepthBytes];
  }

  /**
   * Takes the peer's cumulative counters of one class. False when they say that more was released than was ever sent.
   * Counters older than those already seen change nothing.
   */
  refill(messageClass: number, releasedMessages: number, releasedBytes: number): boolean {
    const moreMessages = (releasedMessages - this.#seenMessages[messageClass]) | 0;
    const moreBytes = (releasedBytes - this.#seenBytes[messageClass]) | 0;
    if (moreMessages < 0 || moreBytes < 0) return true;
    this.#seenMessages[messageClass] = releasedMessages;
    this.#seenBytes[messageClass] = releasedBytes;
    this.messages[messageClass] += moreMessages;
    this.bytes[messageClass] += moreBytes;
    return this.messages[messageClass] <= this.peerDepthMessages && this.bytes[messageClass] <= this.peerDepthBytes;
  }
}
