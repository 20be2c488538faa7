import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import type { PeerAddress } from './remote-peer.js';

/** Where the peers of a test file are: in one process, which is started when it is first asked for. */
export function hostOfPeers(): () => Promise<PeerAddress> {
  let address: Promise<PeerAddress> | undefined;
  let host: ChildProcess | undefined;
  test.after.always(async () => {
    if (host === undefined) return;
    const exited = once(host, 'exit');
    host.disconnect();
    await exited;
  });
  const start = async (): Promise<PeerAddress> => {
    host = fork(fileURLToPath(new URL('./fixtures/peer-host.js', import.meta.url)));
    const [port] = await once(host, 'message');
    return { host: '127.0.0.1', port: port as number };
  };
  return () => {
    address ??= start();
    return address;
  };
}
