import { HeddleError } from '../../errors.js';
import type { RegionHandle } from '../memory/region-handle.js';
import { type Region, revokedError } from '../memory/region-table.js';
import { runOnMemory } from './region-memory-access.js';
import { closedError, type RegionAccess, type RegionTask } from './remote-region.js';
import type { SessionHost } from './session-host.js';

/** How long an operation on memory of this context may take where nothing is said. */
const timeoutMs = 30_000;

/** A region of this very context, opened by its handle: an actor need not know where the region lives. */
export class OwnRegion implements RegionAccess {
  readonly way = 'memory';
  readonly lengthBytes: number;
  readonly mask: number;
  readonly #host: SessionHost;
  readonly #region: Region;
  #isClosed = false;

  private constructor(host: SessionHost, region: Region) {
    this.#host = host;
    this.#region = region;
    this.lengthBytes = region.lengthBytes;
    this.mask = region.mask;
  }

  static open(host: SessionHost, { slot, generation, key }: RegionHandle): OwnRegion {
    const region = host.regions.find(slot, generation, Buffer.from(key, 'hex'));
    if (region !== undefined) return new OwnRegion(host, region);
    throw new HeddleError(
      'ERR_HEDDLE_REGION_UNKNOWN',
      `this context has no region for the handle: it was revoked, or is not one that it gave (slot=${slot} ` +
        `generation=${generation})`,
      { details: { slot, generation } },
    );
  }

  get endError(): HeddleError | undefined {
    if (this.#isClosed) return closedError();
    return this.#region.isRevoked ? revokedError(this.#region.handle) : undefined;
  }

  async run(task: RegionTask): Promise<bigint> {
    const { statistics } = this.#host;
    try {
      const before = await runOnMemory(() => this.#region.memory, task, task.timeoutMs ?? timeoutMs, this.#host);
      statistics.add('regionOperations');
      return before;
    } catch (error) {
      statistics.add('regionOperationsFailed');
      throw error;
    }
  }

  close(): void {
    this.#isClosed = true;
  }
}
