/** Where an actor is to live. */
export type Placement =
  /** In the context of who spawns it. */
  | 'here'
  /** In the system's worker contexts, one after another. The default of `system.spawn`. */
  | 'round-robin'
  /** In the worker context that has the fewest messages waiting and, among equals, the fewest actors. */
  | 'least-loaded'
  /** In the worker context that the key leads to: the same one for the same key, as long as the contexts stay. */
  | {
      /** Any text, a customer's number for example: actors with the same key live together. */
      readonly key: string;
    }
  /** In the context of that name. */
  | (string & {});

/** How an actor is spawned. */
export interface SpawnOptions {
  /** Default: `round-robin` for the system, `here` for an actor. Without worker contexts all but a name mean the main one. */
  readonly on?: Placement | undefined;
  /** Enters the actor into the system's registry. */
  readonly name?: string | undefined;
}

/** FNV-1a with a final mix: spreads keys that differ in little. */
export function hashKey(key: string, seed = 0): number {
  let hash = 0x811c9dc5 ^ seed;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x7feb352d);
  hash ^= hash >>> 15;
  return hash >>> 0;
}

/** Rendezvous hashing: the candidate with the highest hash of key and candidate; few keys move when one comes or goes. */
export function rendezvous<T>(key: string, candidates: readonly T[], seedOf: (candidate: T) => number): T | undefined {
  let best: T | undefined;
  let bestHash = -1;
  for (const candidate of candidates) {
    const hash = hashKey(key, Math.imul(seedOf(candidate) + 1, 0x9e3779b1));
    if (hash > bestHash) {
      bestHash = hash;
      best = candidate;
    }
  }
  return best;
}
