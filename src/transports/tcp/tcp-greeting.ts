import type { Socket } from 'node:net';
import { HeddleError } from '../../errors.js';
import { acceptedRecordBytes } from '../frame-reader.js';
import {
  connectingSide,
  decodeHello,
  encodeHello,
  type Hello,
  helloBytes,
  linkVersion,
  listeningSide,
  mayBeHello,
  processInstanceId,
  strangerError,
} from '../hello.js';
import { socketPeerAddress } from './tcp-link.js';

/** Called once: with an error, or with the peer's hello and what arrived behind it. The socket is paused then. */
export type GreetingDone = (error: HeddleError | undefined, peer?: Hello, rest?: Buffer) => void;

/**
 * Exchanges hellos on a socket that has just been connected. `side` is this side's. What goes wrong ends the socket:
 * at once when a stranger speaks, after this side's hello when a heddle of another version does, so that it can tell
 * its user. Returns a function that gives up, for when the time is over.
 */
export function greet(socket: Socket, side: number, done: GreetingDone): (reason: HeddleError) => void {
  const peerAddress = socketPeerAddress(socket);
  const peerSide = side === connectingSide ? listeningSide : connectingSide;
  const ownHello = encodeHello({
    version: linkVersion,
    side,
    maximumRecordBytes: acceptedRecordBytes,
    instanceId: processInstanceId,
  });
  let received: Buffer = Buffer.alloc(0);
  let settled = false;

  const settle = (error: HeddleError | undefined, peer?: Hello, rest?: Buffer) => {
    if (settled) return;
    settled = true;
    socket.off('data', onData);
    socket.off('end', onEnd);
    socket.off('close', onEnd);
    if (error === undefined) {
      socket.off('error', onError);
    } else if (error.code === 'ERR_HEDDLE_VERSION' && !socket.destroyed) {
      // `onError` stays: nobody else listens any more, and an error nobody listens for would end the process.
      socket.resume();
      socket.end(() => socket.destroy());
    } else {
      socket.destroy();
    }
    done(error, peer, rest);
  };

  const onData = (chunk: Buffer) => {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
    if (!mayBeHello(received)) return settle(strangerError(peerAddress));
    if (received.length < helloBytes) return;
    // Nothing behind the hello may arrive before its receiver is there.
    socket.pause();
    try {
      const peer = decodeHello(received, peerSide, peerAddress);
      if (side === listeningSide) socket.write(ownHello);
      settle(undefined, peer, received.subarray(helloBytes));
    } catch (error) {
      if (side === listeningSide && (error as HeddleError).code === 'ERR_HEDDLE_VERSION') socket.write(ownHello);
      settle(error as HeddleError);
    }
  };
  const onEnd = () => settle(endedEarly(peerAddress));
  const onError = (cause: Error) => settle(endedEarly(peerAddress, cause));

  socket.on('data', onData);
  socket.on('end', onEnd);
  socket.on('close', onEnd);
  socket.on('error', onError);
  if (side === connectingSide) socket.write(ownHello);
  return settle;
}

function endedEarly(peerAddress: string, cause?: Error): HeddleError {
  const why = cause === undefined ? '' : `: ${cause.message}`;
  return new HeddleError(
    'ERR_HEDDLE_REFUSED',
    `the peer at ${peerAddress} ended the connection before it had said hello${why}; is it heddle, and does one side ` +
      'use TLS and the other not?',
    { cause, details: { peerAddress } },
  );
}
