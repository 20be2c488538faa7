/**
 * The promise that a handler returned, or one that follows what it returned where that is something like a promise; undefined
 * for anything else. What goes wrong with the user's own `then`, or with looking for it, rejects the promise: it is the
 * handler's failure, and must not surface in the duty cycle.
 */
export function promiseOf(value: unknown): Promise<unknown> | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  try {
    return typeof (value as PromiseLike<unknown>).then === 'function' ? Promise.resolve(value) : undefined;
  } catch (error) {
    return Promise.reject(error);
  }
}
