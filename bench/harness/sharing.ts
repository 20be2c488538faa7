/** Two processes that share a file: the work of the benchmarks of layouts. */

/** `apart`: each reads and writes in a part of its own. `together`: both count on one number. */
export type Sharing = 'apart' | 'together';

/** Bytes of each process's own part. */
export const partBytes = 256 * 1024;
/** Bytes of one read or write. */
export const pieceBytes = 128;
/** Operations between two looks at the clock. */
const operationsPerLook = 16;

/** A file that others share. */
export interface SharedFile {
  read(start: number, lengthBytes: number): Promise<Buffer>;
  write(start: number, bytes: Buffer): Promise<unknown>;
  /** Adds one to the number at the file's beginning, and resolves to what it is then. */
  increment(): Promise<number>;
}

/** What a process did. */
export interface SharingResult {
  readonly operations: number;
  readonly seconds: number;
  /** The highest number that it counted to. */
  readonly highest: number;
}

/** Works on the file for a while, and checks that what is read is what was written. */
export async function share(
  file: SharedFile,
  { sharing, part, budgetMs }: { sharing: Sharing; part: number; budgetMs: number },
): Promise<SharingResult> {
  const bytes = Buffer.alloc(pieceBytes);
  const own = (1 + part) * partBytes;
  let operations = 0;
  let highest = 0;
  const startedMs = performance.now();
  const deadlineMs = startedMs + budgetMs;
  while (performance.now() < deadlineMs) {
    for (let count = 0; count < operationsPerLook; count += 2) {
      if (sharing === 'together') {
        await file.increment();
        highest = await file.increment();
      } else {
        const start = own + pieceBytes * ((operations * 37) % (partBytes / pieceBytes));
        bytes.fill(operations & 255);
        await file.write(start, bytes);
        if (!(await file.read(start, pieceBytes)).equals(bytes))
          throw new Error('what was read was not what was written');
      }
      operations += 2;
    }
  }
  return { operations, seconds: (performance.now() - startedMs) / 1000, highest };
}

/** The operations a second of all processes together. Throws unless every count was counted once. */
export function sharingRate(results: readonly SharingResult[], sharing: Sharing, countedBefore: number): number {
  const counted = Math.max(...results.map(({ highest }) => highest)) - countedBefore;
  const operations = results.reduce((sum, result) => sum + result.operations, 0);
  if (sharing === 'together' && counted !== operations) throw new Error(`counted to ${counted}, not to ${operations}`);
  return results.reduce((sum, { operations, seconds }) => sum + operations / seconds, 0);
}
