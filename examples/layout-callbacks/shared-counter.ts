import { setTimeout as delay } from 'node:timers/promises';
import type { Context } from 'heddle';
import { LayoutClient } from './layout-client.js';

/** What a client of the demonstration is told to do. */
export interface CounterTask {
  readonly uri: string;
  readonly clientId: string;
  readonly updates: number;
  /** When to begin, so that all are there. */
  readonly startAtMs: number;
}

/** What it says afterwards. */
export interface CounterReport {
  readonly clientId: string;
  readonly highest: number;
  readonly layoutGets: number;
  readonly recalls: number;
}

/** Counts on a number that all clients share, and takes notes in a part of the file that is its own. */
export async function countTogether(context: Context, task: CounterTask): Promise<CounterReport> {
  const client = await new LayoutClient(context, task.uri, task).open();
  await delay(Math.max(0, task.startAtMs - Date.now()));
  const notes = Buffer.alloc(8);
  const ownPage = 4096 * (1 + Number(/\d+$/.exec(task.clientId)?.[0] ?? 0));
  let highest = 0;
  for (let update = 0; update < task.updates; update++) {
    const counter = await client.update('shared', 0, 8, (bytes) => {
      bytes.writeBigUInt64LE(bytes.readBigUInt64LE() + 1n);
      return bytes;
    });
    highest = Number(counter.readBigUInt64LE());
    notes.writeBigUInt64LE(BigInt(highest));
    await client.write('shared', ownPage + 8 * (update % 512), notes);
  }
  const { layoutGets, recalls } = client.counts;
  await client.close();
  return { clientId: task.clientId, highest, layoutGets, recalls };
}
