function countActiveResources(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const type of process.getActiveResourcesInfo()) counts.set(type, (counts.get(type) ?? 0) + 1);
  return counts;
}

/**
 * What kept this thread's event loop alive at one moment (handles and requests that are ref'd, by type), to tell later
 * whether more does: a user's timer, socket, server, or file operation.
 */
export class ResourceBaseline {
  readonly #counts = countActiveResources();

  /** Whether the event loop has more to wait for than when the baseline was taken. */
  isExceeded(): boolean {
    for (const [type, count] of countActiveResources()) {
      if (count > (this.#counts.get(type) ?? 0)) return true;
    }
    return false;
  }
}
