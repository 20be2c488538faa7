/** An operation on a file of a few cells, with the time between its call and its end. */
export interface TimedOperation {
  readonly kind: 'read' | 'write';
  readonly cells: readonly number[];
  /** What was written, or read, in each of the cells. */
  readonly values: readonly number[];
  readonly calledAt: number;
  readonly endedAt: number;
}

/**
 * Whether there is an order of the operations, one after another, that agrees with what each read and with which ended
 * before which began (Wing and Gong's search, with the states that led nowhere remembered).
 */
export function isLinearizable(operations: readonly TimedOperation[], cells: number): boolean {
  const dead = new Set<string>();
  const search = (left: readonly TimedOperation[], state: readonly number[]): boolean => {
    if (left.length === 0) return true;
    const key = `${left.map((one) => operations.indexOf(one)).join()}|${state.join()}`;
    if (dead.has(key)) return false;
    const firstEnd = Math.min(...left.map(({ endedAt }) => endedAt));
    for (const operation of left) {
      if (operation.calledAt > firstEnd) continue;
      const next = [...state];
      if (operation.kind === 'read') {
        if (operation.cells.some((cell, index) => state[cell] !== operation.values[index])) continue;
      } else for (const [index, cell] of operation.cells.entries()) next[cell] = operation.values[index]!;
      if (
        search(
          left.filter((one) => one !== operation),
          next,
        )
      )
        return true;
    }
    dead.add(key);
    return false;
  };
  return search(operations, Array(cells).fill(0));
}
