import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectSocket, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { type Connection, type Context, HeddleError } from '../../src/index.js';
import { type Command, controlPort, keepalive, serviceUri } from './terms.js';

/** What guest 1 works with. */

const { PEER } = process.env;
const controlTries = 240;
const connectTries = 20;

/** Guest 0's hands. */
export class Control {
  #socket: Socket | undefined;
  #answers: AsyncIterator<string> | undefined;

  /** Waits for guest 0, a few minutes at the most. To be called again when guest 0 has started again. */
  async open(): Promise<void> {
    this.#socket?.destroy();
    for (let tries = 1; ; tries++) {
      const socket = connectSocket(controlPort, PEER);
      const impatience = setTimeout(() => socket.destroy(new Error('guest 0 does not answer')), 2000);
      try {
        await once(socket, 'connect');
        socket.on('error', () => {});
        this.#socket = socket;
        this.#answers = createInterface(socket)[Symbol.asyncIterator]();
        return;
      } catch (error) {
        if (tries === controlTries) throw error;
        await delay(500);
      } finally {
        clearTimeout(impatience);
      }
    }
  }

  /** Resolves when that is done, or will be within the second. */
  async tell(command: Command): Promise<void> {
    this.#socket!.write(`${command}\n`);
    const { done } = await this.#answers!.next();
    assert.ok(!done || command === 'end', `guest 0 does not answer to ${command}`);
  }
}

/** Does it over and over. Never resolves. */
export async function untilItFails(operation: () => Promise<unknown>): Promise<never> {
  for (;;) await operation();
}

export async function check(name: string, body: () => Promise<void>): Promise<void> {
  const startedMs = performance.now();
  await body();
  console.log(`  ✔ ${name} (${((performance.now() - startedMs) / 1000).toFixed(1)} s)`);
}

/** A connection to the service, over an RDMA device or not at all, and the types of its session's events. */
export async function open(
  context: Context,
  reconnectTimeoutMs = 0,
): Promise<{ connection: Connection; events: string[] }> {
  const events: string[] = [];
  const connection = await context.connect(serviceUri, {
    options: { ...keepalive, reconnectTimeoutMs, connectTimeoutMs: 30_000, requestTimeoutMs: 60_000 },
    requireRdmaDevice: true,
    onEvent: ({ type }) => events.push(type),
  });
  return { connection, events };
}

/** As {@link open}, of a service that is not there yet. */
export async function openPatiently(context: Context): Promise<Connection> {
  for (let tries = 1; ; tries++) {
    try {
      return (await open(context)).connection;
    } catch (error) {
      if (tries === connectTries) throw error;
      assert.ok(error instanceof HeddleError, String(error));
      await delay(1000);
    }
  }
}

/** Every promise rejects with a coded error; returns the codes. */
export async function codesOf(promises: readonly Promise<unknown>[]): Promise<string[]> {
  const codes = new Set<string>();
  for (const end of await Promise.allSettled(promises)) {
    assert.equal(end.status, 'rejected');
    const { reason } = end as PromiseRejectedResult;
    assert.ok(reason instanceof HeddleError, String(reason));
    codes.add(reason.code);
  }
  return [...codes];
}

/** The events by which a session tells that it was lost. */
export const lossEvents = ['connection-disconnected', 'connection-teardown', 'session-teardown'];

/** Of the events those that tell of an end, in order. */
export function endOf(events: readonly string[]): string[] {
  const ends = [...lossEvents, 'connection-closed', 'connection-error'];
  return events.filter((type) => ends.includes(type));
}
