/** A SharedBuffer that its context still held when it should not. */
export interface LeakReport {
  /** The slab that it lies in. */
  readonly slabId: number;
  /** Its slot there. */
  readonly slot: number;
  /** Bytes of the buffer. */
  readonly lengthBytes: number;
  /** `stop`: held when the context stopped; `collected`: garbage collected without release. */
  readonly found: 'stop' | 'collected';
  /** Where it was allocated or received, with the context's option `traceBuffers`. */
  readonly stack: string | undefined;
}

/** Where the caller is, as in an error's stack. */
export function captureStack(): string {
  const holder: { stack?: string } = {};
  Error.captureStackTrace(holder, captureStack);
  return holder.stack ?? '';
}

/** Says once, for a pool whose user listens for no leaks, that there is one. */
export function warnOfLeak(leak: LeakReport): void {
  const where = leak.stack === undefined ? '' : `\n${leak.stack}`;
  process.emitWarning(
    `A SharedBuffer of ${leak.lengthBytes} bytes was garbage collected without release(); its memory was freed. ` +
      `Further ones are only counted. Declare it with \`using\`, or release it after its last use.${where}`,
    { type: 'HeddleLeakWarning', code: 'HEDDLE_BUFFER_LEAK' },
  );
}
