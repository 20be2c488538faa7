import type { Handler } from './definition.js';

/**
 * The handlers of a definition by the names of their messages, without what every object inherits: a message may be called
 * `toString`. Actors of one kind get the same message many times in a row, so the last one found is looked at first.
 */
export class HandlerTable {
  readonly #handlers: ReadonlyMap<string, Handler>;
  #lastName = '';
  #lastHandler: Handler | undefined;

  constructor(handlers: Readonly<Record<string, Handler>>) {
    this.#handlers = new Map(Object.entries(handlers));
    this.#lastHandler = this.#handlers.get('');
  }

  /** The handler of the message with that name; undefined when there is none. */
  find(name: string): Handler | undefined {
    if (name === this.#lastName) return this.#lastHandler;
    const handler = this.#handlers.get(name);
    this.#lastName = name;
    this.#lastHandler = handler;
    return handler;
  }
}
