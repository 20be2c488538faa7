let lastLinkId = 0;

/** The next link number of this context. Each context is a thread with modules of its own, so that a counter here
 * counts the links of all its transports. */
export function nextLinkId(): number {
  return ++lastLinkId;
}
