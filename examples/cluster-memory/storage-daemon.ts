import { randomInt } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { type ActorContext, defineActor, type RefOf, Refusal, type RemoteRegion } from 'heddle';
import type { StorageEvent } from './event-queue.js';
import type { StorageDevice, StorageResult } from './storage-device.js';

interface Daemon {
  readonly device: RefOf<typeof StorageDevice>;
  readonly ownerId: number;
  readonly file: FileHandle;
  readonly cache: RemoteRegion;
  readonly pageBytes: number;
  /** What is under way: a restart waits for it, so that no late write falls upon a newer one. */
  readonly underWay: Set<Promise<unknown>>;
  isStopping: boolean;
}

const flushTimeoutMs = 60_000;

/** Moves a page between cache and disk; false when it is not what it should be, or the disk fails. */
async function carryOut(daemon: Daemon, event: StorageEvent): Promise<StorageResult> {
  const { file, cache, pageBytes } = daemon;
  const bytes = Buffer.allocUnsafe(pageBytes);
  let isOk = false;
  try {
    if (event.kind === 'store') {
      await cache.readInto(bytes, event.cacheSlot * pageBytes);
      const { bytesWritten } = await file.write(bytes, 0, pageBytes, event.diskSlot * pageBytes);
      isOk = bytesWritten === pageBytes;
    } else {
      await file.read(bytes, 0, pageBytes, event.diskSlot * pageBytes);
      // What the disk gives back is what was given to it, or it is nobody's.
      isOk = crc32(bytes) === event.checksum;
      if (isOk) await cache.write(event.cacheSlot * pageBytes, bytes);
    }
  } catch {
    // Reported as the event's result.
  }
  return { id: event.id, isOk };
}

async function work(daemon: Daemon, actor: ActorContext): Promise<void> {
  const events = await daemon.device.ask('read', daemon.ownerId);
  const results = await Promise.all(events.map((event) => carryOut(daemon, event)));
  if (results.length > 0) await daemon.device.ask('complete', { ownerId: daemon.ownerId, results });
  if (!daemon.isStopping) actor.self.tell('work');
}

/** Reads the events of the memory server from its device, one owner at a time, and does what they say. */
export const StorageDaemon = defineActor(import.meta.url, {
  name: 'storage-daemon',
  isReentrant: true,
  state: async (args: { device: RefOf<typeof StorageDevice> }, actor: ActorContext): Promise<Daemon> => {
    const ownerId = randomInt(1, 2 ** 32);
    const { cache, pageBytes, path } = await args.device.ask('open', { ownerId, owner: actor.self });
    actor.self.tell('work');
    return {
      device: args.device,
      ownerId,
      file: await open(path, 'a+').then(async (made) => {
        await made.close();
        return open(path, 'r+');
      }),
      cache: await actor.openRegion(cache),
      pageBytes,
      underWay: new Set(),
      isStopping: false,
    };
  },
  handlers: {
    async work(daemon, _none: undefined, actor) {
      const turn = work(daemon, actor);
      daemon.underWay.add(turn);
      try {
        await turn;
      } catch (error) {
        if (!daemon.isStopping) throw error;
      } finally {
        daemon.underWay.delete(turn);
      }
    },
    /** The second, slower way: brings all pages of a client to disk, and waits for the disk. */
    async flush(daemon, clientId: number): Promise<number> {
      const { device, ownerId } = daemon;
      const pages = await device.ask('flush', { ownerId, clientId }, { timeoutMs: flushTimeoutMs }).catch((error) => {
        // The client learns of it; the daemon has other clients.
        throw new Refusal(String(error));
      });
      await daemon.file.datasync();
      return pages;
    },
    /** Orderly end: the server says when it can do without. */
    async close(daemon) {
      await daemon.device.ask('prepareClose', daemon.ownerId, { timeoutMs: flushTimeoutMs });
      daemon.isStopping = true;
    },
    /** For demonstrations and tests: dies in the midst of things. */
    fail() {
      throw new Error('the storage daemon was told to fail');
    },
  },
  async onStop(daemon) {
    daemon.isStopping = true;
    daemon.device.tell('close', daemon.ownerId);
    await Promise.allSettled(daemon.underWay);
    await daemon.file.close();
  },
});
