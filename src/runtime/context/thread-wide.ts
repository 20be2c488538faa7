/**
 * What a thread has once, however many copies of heddle there are in it: a program's packages may each bring one along, of
 * versions that npm cannot make one of. It is kept at `process`, which each thread has its own of. The first copy makes it
 * for all: `name` ends in a number, which changes when what it stands for does.
 */
export function threadWide<Shared>(name: string, make: () => Shared): Shared {
  const shared = process as unknown as Record<symbol, Shared | undefined>;
  const key = Symbol.for(`heddle.${name}`);
  shared[key] ??= make();
  return shared[key];
}
