/** Signals: entries of the mailbox that the runtime itself puts there, so that they keep the order. */
export const signals = {
  terminated: Symbol('terminated'),
  receiveTimeout: Symbol('receiveTimeout'),
  stop: Symbol('stop'),
} as const;
