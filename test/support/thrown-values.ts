/** What user code throws, one day or another, and what others must be able to say of it. */
export const thrownValues: readonly (readonly [title: string, make: () => unknown, says: RegExp])[] = [
  ['nothing', () => undefined, /undefined/],
  ['null', () => null, /null/],
  ['a symbol', () => Symbol('s'), /Symbol\(s\)/],
  ['a plain object', () => ({ code: 'E_PLAIN', why: 'because' }), /because/],
  ['an object without a prototype', () => Object.assign(Object.create(null), { why: 'because' }), /because/],
  ['an error with an object for its message', () => errorWith({ message: { why: 'because' } }), /because/],
  ['an error with a list for its stack', () => errorWith({ message: 'because', stack: ['here'] }), /because/],
  ['an error without a class', () => errorWith({ message: 'because', constructor: undefined }), /because/],
  ['an error that throws when it is read', unreadableError, /cannot be read/],
  ['a proxy that throws when it is read', untouchable, /cannot be read/],
];

function errorWith(properties: object): Error {
  const error = new Error('');
  for (const [name, value] of Object.entries(properties)) Object.defineProperty(error, name, { value });
  return error;
}

function unreadableError(): Error {
  return Object.defineProperty(new Error(''), 'message', {
    get: () => {
      throw new Error('this one must not surface');
    },
  });
}

function untouchable(): object {
  const refuse = () => {
    throw new Error('this one must not surface');
  };
  return new Proxy({}, { get: refuse, ownKeys: refuse });
}

/** What handlers return that is something like a promise, and what comes of it: a value, or the text of an error. */
export const thenables: readonly (readonly [title: string, make: () => unknown, value: unknown, error?: RegExp])[] = [
  ['resolves', () => thenable((resolve) => resolve('settled')), 'settled'],
  ['settles more than once', settlesTwice, 'settled'],
  ['throws in its then', () => thenable(() => failNow('then throws')), undefined, /then throws/],
  ['throws when its then is read', unreadableThen, undefined, /then cannot be read/],
];

type Settle = (value: unknown) => void;

function thenable(then: (resolve: Settle, reject: Settle) => void): object {
  return Object.defineProperty({}, 'then', { value: then });
}

function settlesTwice(): object {
  return thenable((resolve, reject) => {
    resolve('settled');
    resolve('again');
    reject(new Error('and again'));
  });
}

function unreadableThen(): object {
  return Object.defineProperty({}, 'then', { get: () => failNow('then cannot be read') });
}

function failNow(text: string): never {
  throw new Error(text);
}
