import type { ExportRegionOptions } from '../context/context.js';
import type { RegionHandle } from '../memory/region-handle.js';
import type { Region } from '../memory/region-table.js';
import type { SharedBuffer } from '../memory/shared-buffer.js';
import type { RegionOperationOptions, RemoteRegion } from '../session/remote-region.js';
import type { Cell } from './cell.js';

/** Exports a region that ends with the actor's state. */
export function exportRegionOf(cell: Cell, buffer: SharedBuffer, options: ExportRegionOptions): Region {
  const region = cell.host.context.exportRegion(buffer, options);
  const takeBack = cell.endings.add(() => region.revoke());
  region.onRevoked(takeBack);
  return region;
}

/**
 * Opens a region that is closed with the actor's state. The handle may have come by way of a third context: one that has no
 * connection to the owner yet connects to the contexts of its system first.
 */
export async function openRegionFor(
  cell: Cell,
  handle: RegionHandle,
  options: RegionOperationOptions,
): Promise<RemoteRegion> {
  const { context, links, places, place } = cell.host;
  if (!context.reaches(handle)) {
    const others = places.all.filter((one) => one.place !== place && one.status === 'up');
    await Promise.allSettled(others.map((other) => links.peer(other.place).reach()));
  }
  const region = await context.openRegion(handle, options);
  region.onClosed = cell.endings.add(() => region.close());
  return region;
}
