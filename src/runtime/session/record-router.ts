import { HeddleError, thrownText } from '../../errors.js';
import type { MemoryBlock } from '../../transports/record.js';
import type { Link, RecordReceiver } from '../../transports/transport.js';
import * as layout from '../message/message-layout.js';
import type { Connection } from './connection.js';
import { releaseUnwantedMemory } from './connection-regions.js';
import type { ConnectionTable } from './connection-table.js';
import { adoptMoved, announcedTransfer } from './landing.js';
import type { SessionLayer } from './session-layer.js';
import { readSetupBody, required, type SetupBody } from './setup-body.js';
import type { SharedWire, Wires } from './wires.js';

// See record-placer.ts.
const {
  connectionWord,
  dataOffset,
  flagsShift,
  kindWord,
  lastConnectionKind,
  lastSequencedKind,
  MessageFlag,
  messageHeaderBytes,
  RecordKind,
  referenceWord,
} = layout;

/**
 * Finds out for whom a record is: for a connection, by its id; for a server or a client session, when it is about setting
 * up; or for nobody any more. A record that breaks the protocol closes the link that it came by.
 */
export class RecordRouter implements RecordReceiver {
  readonly #layer: SessionLayer;
  readonly #connections: ConnectionTable<Connection>;
  readonly #wires: Wires;

  constructor(layer: SessionLayer, connections: ConnectionTable<Connection>, wires: Wires) {
    this.#layer = layer;
    this.#connections = connections;
    this.#wires = wires;
  }

  onRecord(link: Link, block: MemoryBlock, start: number, length: number): number {
    let connection: Connection | undefined;
    try {
      if (length < messageHeaderBytes) {
        throw new HeddleError('ERR_HEDDLE_MALFORMED', `a record of length=${length} is shorter than its fixed part`);
      }
      const int32 = block.int32;
      const word = start >> 2;
      const kind = int32[word + kindWord] & 0xff;
      if (kind > lastConnectionKind) {
        this.#onSetupRecord(link, kind, block, start, length);
        return 1;
      }
      connection = this.#connections.get(int32[word + connectionWord]);
      if (connection === undefined || connection.link !== link) {
        this.#onStrayRecord(link, kind, block, start, length, int32[word + connectionWord]);
        return 1;
      }
      return connection.receive(link, kind, block, start, length);
    } catch (cause) {
      if (connection?.link === link && (cause as HeddleError).code === 'ERR_HEDDLE_OUT_OF_MEMORY') {
        // Nobody broke the protocol: the other connections of the link go on.
        connection.fail(cause as HeddleError);
        return 1;
      }
      this.#layer.statistics.add('malformedRecords');
      const error =
        cause instanceof HeddleError
          ? cause
          : new HeddleError('ERR_HEDDLE_PROTOCOL', `a record could not be handled: ${thrownText(cause)}`, { cause });
      link.close(error);
      return 1;
    }
  }

  /** A record for a connection that is gone: its memory must not be lost, and a peer that does not know must learn of it. */
  #onStrayRecord(
    link: Link,
    kind: number,
    block: MemoryBlock,
    start: number,
    length: number,
    connectionId: number,
  ): void {
    const word = start >> 2;
    const kindAndFlags = block.int32[word + kindWord];
    if (kind > lastSequencedKind) {
      if (kind === RecordKind.regionAnswer) releaseUnwantedMemory(link, this.#layer.pool, block, start, length);
      if (kind === RecordKind.ping) this.#wires.placeReset(this.#wires.wireFor(link), connectionId);
      return;
    }
    this.#wires.placeReset(this.#wires.wireFor(link), connectionId);
    if (((kindAndFlags >> flagsShift) & MessageFlag.large) === 0) return;
    if (link.sharesMemory) {
      adoptMoved(link, this.#layer.pool, block.bytes, start + dataOffset(kindAndFlags)).release();
      return;
    }
    const transfer = announcedTransfer(kindAndFlags, block, start, length);
    if (transfer !== undefined) link.buffers?.discard(transfer);
  }

  #onSetupRecord(link: Link, kind: number, block: MemoryBlock, start: number, length: number): void {
    const wire = this.#wires.wireFor(link);
    if (kind === RecordKind.reset) {
      this.#onReset(wire, block.int32[(start >> 2) + referenceWord]);
      return;
    }
    const { body, privateData } = readSetupBody(block.bytes.subarray(start + messageHeaderBytes, start + length));
    switch (kind) {
      case RecordKind.sessionSetup:
      case RecordKind.connectionHello: {
        required(body, 'connectionId');
        required(body, 'receiveDepthMessages');
        required(body, 'receiveDepthBytes');
        required(body, 'initialSerial');
        const server = this.#layer.serverFor(link, body.uri);
        if (server === undefined) this.#refuse(wire, body, `no service listens at ${body.uri}`);
        else if (kind === RecordKind.sessionSetup) server.onSetup(wire, body, privateData);
        else server.onHello(wire, body, privateData);
        return;
      }
      case RecordKind.resume:
        this.#onResume(wire, body);
        return;
      case RecordKind.sessionAccept:
      case RecordKind.sessionReject:
      case RecordKind.sessionRedirect:
      case RecordKind.connectionWelcome:
      case RecordKind.connectionRefuse:
      case RecordKind.resumed:
        if (this.#layer.clientSession(body.sessionId)?.onSetupAnswer(link, kind, body, privateData)) return;
        // The client has given up meanwhile: the connection that the server has made for it is in vain.
        if (body.connectionId !== undefined) this.#wires.placeReset(wire, block.int32[(start >> 2) + connectionWord]);
        return;
      default:
        throw new HeddleError('ERR_HEDDLE_PROTOCOL', `the peer sent a record of unknown kind=${kind}`);
    }
  }

  /** The peer knows no connection with the id under which one of ours sends. */
  #onReset(wire: SharedWire, peerConnectionId: number): void {
    for (const connection of [...wire.users]) {
      if (connection.outbound.remoteId !== peerConnectionId) continue;
      connection.onReset();
    }
  }

  #onResume(wire: SharedWire, body: SetupBody): void {
    const connection = this.#connections.get(required(body, 'peerConnectionId'));
    const isKnown =
      connection !== undefined &&
      connection.session.id === body.sessionId &&
      connection.session.role === 'server' &&
      this.#layer.tokens.matches(body.sessionId, required(body, 'token'));
    if (!isKnown) {
      this.#refuse(wire, body, 'the connection is not known here any more');
      return;
    }
    // The client noticed the loss of the old wire before this side did.
    if (!connection.isResuming && connection.link !== undefined && connection.link !== wire.link) {
      this.#wires.leave(connection);
      connection.onLinkClosed(new HeddleError('ERR_HEDDLE_DISCONNECTED', 'the client came back on another link'));
    }
    if (!connection.isResuming) {
      this.#refuse(wire, body, `the connection is in state ${connection.state}`);
      return;
    }
    connection.resync(required(body, 'expectedSerial'), required(body, 'released'));
    connection.attach(wire);
    const mine = {
      ...this.#layer.introduction(connection),
      ...this.#layer.progress(connection),
      sessionId: body.sessionId,
    };
    this.#wires.placeSetup(wire, RecordKind.resumed, required(body, 'connectionId'), mine, undefined);
    connection.welcome(wire, body, true);
  }

  #refuse(wire: SharedWire, body: SetupBody, reason: string): void {
    const connectionId = required(body, 'connectionId');
    this.#wires.placeSetup(
      wire,
      RecordKind.connectionRefuse,
      connectionId,
      { sessionId: body.sessionId, reason },
      undefined,
    );
  }

  onWritable(link: Link): void {
    this.#wires.onWritable(link);
  }

  onLinkClosed(link: Link, error: HeddleError | undefined): void {
    this.#wires.onLinkClosed(link, error);
  }
}
