/** Counts per thread, so per context: each worker thread has its own instance of this module. */
let lastLinkId = 0;

/** A number for a new link, never used twice in this context, whichever of its transports asks. */
export function nextLinkId(): number {
  lastLinkId += 1;
  return lastLinkId;
}
