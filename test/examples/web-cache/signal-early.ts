/*
 * Loaded before a program, into each of its threads: sends it SIGTERM while it starts. SIGNAL_AT says when: its context's
 * thread is `made`, or that thread is at `work` on the service's state.
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { isMainThread } from 'node:worker_threads';

const at = process.env.SIGNAL_AT;
const send = () => void process.kill(process.pid, 'SIGTERM');

if (at === 'made' && isMainThread) process.once('worker', send);
if (at === 'work' && !isMainThread) {
  fs.promises.realpath = (() => {
    send();
    return new Promise(() => {});
  }) as never;
  syncBuiltinESMExports();
}
