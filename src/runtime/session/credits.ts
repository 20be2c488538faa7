/*
 * Posts (requests and one-way messages) and responses have credits of their own: two sides that hold each other's
 * requests up to the depth could otherwise never answer, each waiting for the other's release.
 */

/**
 * What the receiving side of a connection has received and released of one class of messages. Counters of what was
 * released are cumulative and wrap at 2^32, so that a lost or repeated announcement does no harm.
 */
export class ReleaseCounters {
  /** Received and not released: messages that were kept. One that is released in its handler is never counted. */
  heldMessages = 0;
  heldBytes = 0;
  releasedMessages = 0;
  releasedBytes = 0;
}

/** What the receiving side of a connection has released, and what of it the peer knows. */
export class ReleaseLedger {
  readonly depthMessages: number;
  readonly depthBytes: number;
  readonly posts = new ReleaseCounters();
  readonly responses = new ReleaseCounters();
  /** Released and not yet announced to the peer, over both classes. */
  unannouncedMessages = 0;
  unannouncedBytes = 0;
  /** The peer has a message that waits: whatever is released is worth telling at once. */
  isPeerWaiting = false;
  /** Sequenced records received since the peer was told of any: it may keep copies of them. */
  unacknowledgedRecords = 0;
  private readonly dueMessages: number;
  private readonly dueBytes: number;

  constructor(depthMessages: number, depthBytes: number) {
    this.depthMessages = depthMessages;
    this.depthBytes = depthBytes;
    this.dueMessages = Math.ceil(depthMessages / 2);
    this.dueBytes = Math.ceil(depthBytes / 2);
  }

  /** Whether the peer had credits for a message of `bytes`, going by what is held here. */
  admits(counters: ReleaseCounters, bytes: number): boolean {
    return counters.heldMessages < this.depthMessages && counters.heldBytes + bytes <= this.depthBytes;
  }

  /** A message outlives its handler: it holds its credits until it is released. */
  hold(counters: ReleaseCounters, bytes: number): void {
    counters.heldMessages++;
    counters.heldBytes += bytes;
  }

  /** A message that was held is done with; `release` follows. */
  unhold(counters: ReleaseCounters, bytes: number): void {
    counters.heldMessages--;
    counters.heldBytes -= bytes;
  }

  /** Gives messages' credits back. True when half the depth has gathered and the peer must be told. */
  release(counters: ReleaseCounters, messages: number, bytes: number): boolean {
    counters.releasedMessages = (counters.releasedMessages + messages) | 0;
    counters.releasedBytes = (counters.releasedBytes + bytes) | 0;
    const unannouncedMessages = this.unannouncedMessages + messages;
    const unannouncedBytes = this.unannouncedBytes + bytes;
    this.unannouncedMessages = unannouncedMessages;
    this.unannouncedBytes = unannouncedBytes;
    return unannouncedMessages >= this.dueMessages || unannouncedBytes >= this.dueBytes || this.isPeerWaiting;
  }

  /** Half the depth has been released since the peer was told, or anything and the peer is known to wait. */
  get isAnnouncementDue(): boolean {
    if (this.isPeerWaiting) return this.unannouncedMessages > 0;
    return this.unannouncedMessages >= this.dueMessages || this.unannouncedBytes >= this.dueBytes;
  }

  /** Enough has been released to be worth 24 bytes in a message that goes that way anyway. */
  get isWorthCarrying(): boolean {
    if (this.isPeerWaiting) return this.unannouncedMessages > 0;
    return this.unannouncedMessages * 4 >= this.dueMessages || this.unannouncedBytes * 4 >= this.dueBytes;
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

/** What may be sent of one class of messages. */
export class Credits {
  /** Messages and bytes that may be sent now. */
  messages: number;
  bytes: number;
  seenMessages = 0;
  seenBytes = 0;

  constructor(messages: number, bytes: number) {
    this.messages = messages;
    this.bytes = bytes;
  }
}

/** What the sending side of a connection may still send. */
export class CreditPurse {
  readonly peerDepthMessages: number;
  readonly peerDepthBytes: number;
  readonly posts: Credits;
  readonly responses: Credits;

  constructor(peerDepthMessages: number, peerDepthBytes: number) {
    this.peerDepthMessages = peerDepthMessages;
    this.peerDepthBytes = peerDepthBytes;
    this.posts = new Credits(peerDepthMessages, peerDepthBytes);
    this.responses = new Credits(peerDepthMessages, peerDepthBytes);
  }

  /**
   * Takes the peer's cumulative counters of one class. False when they say that more was released than was ever sent.
   * Counters older than those already seen change nothing.
   */
  refill(credits: Credits, releasedMessages: number, releasedBytes: number): boolean {
    const moreMessages = (releasedMessages - credits.seenMessages) | 0;
    const moreBytes = (releasedBytes - credits.seenBytes) | 0;
    if (moreMessages < 0 || moreBytes < 0) return true;
    credits.seenMessages = releasedMessages;
    credits.seenBytes = releasedBytes;
    credits.messages += moreMessages;
    credits.bytes += moreBytes;
    return credits.messages <= this.peerDepthMessages && credits.bytes <= this.peerDepthBytes;
  }
}
