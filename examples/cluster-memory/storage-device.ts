import { type AnyActorRef, defineActor, Refusal, type RegionHandle } from 'heddle';
import type { EventQueue, StorageEvent } from './event-queue.js';

/** What became of an event. */
export interface StorageResult {
  readonly id: number;
  readonly isOk: boolean;
}

/** What the device needs of the memory server, whose context it lives in. */
export interface DeviceHost {
  readonly events: EventQueue;
  /** What the daemon needs to do its work. */
  readonly terms: DeviceTerms;
  /** Calls back when there are events. */
  onEvents: () => void;
  /** Events were taken out: there may be room again. */
  onTaken(): void;
  complete(event: StorageEvent, isOk: boolean): void;
  /** Resolves when all that the client has stored is on disk. */
  flush(clientId: number): Promise<number>;
  /** The owner wants to close: resolves when the server needs it no more. */
  mayClose(): Promise<void>;
}

/** What an owner learns when it opens the device. */
export interface DeviceTerms {
  /** The cache, which owner and server share. */
  readonly cache: RegionHandle;
  readonly pageBytes: number;
  /** Where the pages go. */
  readonly path: string;
}

interface Device {
  readonly host: DeviceHost;
  isOpen: boolean;
  ownerId: number;
  owner: AnyActorRef | undefined;
  /** Taken by the owner and not completed. */
  readonly taken: Map<number, StorageEvent>;
  opened: number;
  staleOwners: number;
}

const longestReadMs = 1000;
const eventsPerRead = 16;

/** The owner that the device had is gone: what it had taken is there for the next one. */
function release(device: Device): void {
  device.isOpen = false;
  device.owner = undefined;
  device.host.events.putBack([...device.taken.values()]);
  device.taken.clear();
  device.host.onEvents();
}

function requireOwner(device: Device, ownerId: number): void {
  if (device.isOpen && device.ownerId === ownerId) return;
  device.staleOwners++;
  throw new Refusal(`ownerId=${ownerId} does not own the device`);
}

/**
 * The door between the memory server and the storage daemon. It has one owner at a time, which opens it, reads events, says
 * what became of them, and closes it. When an owner dies, its events wait for the next one, and what a dead owner may
 * still say is refused.
 */
export const StorageDevice = defineActor(import.meta.url, {
  name: 'storage-device',
  isReentrant: true,
  state: (args: { host: DeviceHost }): Device => ({
    host: args.host,
    isOpen: false,
    ownerId: 0,
    owner: undefined,
    taken: new Map(),
    opened: 0,
    staleOwners: 0,
  }),
  handlers: {
    open(device, { ownerId, owner }: { ownerId: number; owner: AnyActorRef }, actor): DeviceTerms {
      // The same actor under another id: it was made anew, and the one before is gone.
      if (device.isOpen && String(device.owner) !== String(owner)) {
        throw new Refusal(`the device is open: its owner is ${device.ownerId}`);
      }
      if (device.isOpen) release(device);
      device.isOpen = true;
      device.ownerId = ownerId;
      device.owner = owner;
      device.opened++;
      actor.watch(owner);
      return device.host.terms;
    },
    /** Events, at once or when there are some; none after a second. */
    async read(device, ownerId: number): Promise<StorageEvent[]> {
      requireOwner(device, ownerId);
      const { host } = device;
      if (host.events.length === 0) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, longestReadMs);
          host.onEvents = () => {
            clearTimeout(timer);
            resolve();
          };
        });
        host.onEvents = () => {};
        requireOwner(device, ownerId);
      }
      const events = host.events.take(eventsPerRead);
      for (const event of events) device.taken.set(event.id, event);
      host.onTaken();
      return events;
    },
    complete(device, { ownerId, results }: { ownerId: number; results: StorageResult[] }) {
      requireOwner(device, ownerId);
      for (const { id, isOk } of results) {
        const event = device.taken.get(id);
        device.taken.delete(id);
        if (event !== undefined) device.host.complete(event, isOk);
      }
    },
    async flush(device, { ownerId, clientId }: { ownerId: number; clientId: number }): Promise<number> {
      requireOwner(device, ownerId);
      return device.host.flush(clientId);
    },
    /** Resolves when the server can do without the owner: until then it reads on. */
    async prepareClose(device, ownerId: number): Promise<void> {
      requireOwner(device, ownerId);
      await device.host.mayClose();
    },
    close(device, ownerId: number, actor) {
      requireOwner(device, ownerId);
      if (device.owner !== undefined) actor.unwatch(device.owner);
      release(device);
    },
    status: ({ isOpen, ownerId, opened, staleOwners, taken }) => ({
      isOpen,
      ownerId,
      opened,
      staleOwners,
      taken: taken.size,
    }),
  },
  onTerminated(device, { ref }) {
    if (device.isOpen && String(device.owner) === String(ref)) release(device);
  },
});
