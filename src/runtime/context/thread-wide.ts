/**
 * What a thread has once. A module of heddle may be there twice, as its packages may bring copies of heddle along that npm
 * could not make one of; what they share is kept at `process`, which is each thread's own. The first copy makes it for all:
 * `name` ends in a number, which changes when what it stands for does.
 */
export function threadWide<Shared>(name: string, make: () => Shared): Shared {
  const shared = process as unknown as Record<symbol, Shared | undefined>;
  const key = Symbol.for(`heddle.${name}`);
  shared[key] ??= make();
  return shared[key];
}
