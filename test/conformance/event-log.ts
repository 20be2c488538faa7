import { HeddleError, type SessionEvent, type SessionHandlers } from '../../src/index.js';

/** Something that happened, as plain data that can go from one thread to another. */
export interface LogEntry {
  readonly type: string;
  // biome-ignore lint/suspicious/noExplicitAny: facts are whatever a test notes down
  readonly [fact: string]: any;
}

/** What happened, in order. */
export class EventLog {
  readonly #entries: LogEntry[] = [];
  readonly #watchers = new Set<() => void>();
  readonly #takeIn: () => void;

  /** `takeIn` is called before the log is read: it adds what has arrived, and what the event loop has not brought yet. */
  constructor(takeIn: () => void = () => {}) {
    this.#takeIn = takeIn;
  }

  get entries(): readonly LogEntry[] {
    this.#takeIn();
    return this.#entries;
  }

  add(entry: LogEntry): void {
    this.#entries.push(entry);
    for (const watcher of [...this.#watchers]) watcher();
  }

  /** Resolves to the first entry of that type, present or to come; with `count`, to the one that completes the count. */
  async until(type: string, count = 1): Promise<LogEntry> {
    for (;;) {
      const found = this.all(type)[count - 1];
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => {
        const watcher = () => {
          this.#watchers.delete(watcher);
          resolve();
        };
        this.#watchers.add(watcher);
      });
    }
  }

  all(type: string): LogEntry[] {
    return this.entries.filter((entry) => entry.type === type);
  }

  /** The types of what happened, in order. */
  get types(): string[] {
    return this.entries.map((entry) => entry.type);
  }
}

/** A session's event as plain data: states are those at the moment of the event. */
export function describeEvent(event: SessionEvent): LogEntry {
  const { session, connection, error, payload, privateData, ...facts } = event as unknown as Record<string, unknown>;
  const entry: Record<string, unknown> = { ...facts };
  if ('session' in event) Object.assign(entry, { session: event.session.id, state: event.session.state });
  if ('connection' in event) Object.assign(entry, { index: event.connection.index, state: event.connection.state });
  if ('error' in event) Object.assign(entry, describeError(event.error));
  for (const [name, bytes] of Object.entries({ payload, privateData } as Record<string, unknown>)) {
    if (bytes !== undefined) entry[name] = bytes instanceof Uint8Array ? Buffer.from(bytes).toString() : bytes;
  }
  return entry as unknown as LogEntry;
}

/** What tests look at in an error. */
export function describeError(error: unknown): { code?: string; message: string; causeCode?: string } {
  const { code, message, cause } = error as HeddleError;
  return { code, message, causeCode: cause instanceof HeddleError ? cause.code : undefined };
}

/** A log, and the handler that writes a session's events into it. */
export function recorder(log = new EventLog()): { log: EventLog; handlers: Pick<SessionHandlers, 'onEvent'> } {
  return { log, handlers: { onEvent: (event) => log.add(describeEvent(event)) } };
}
