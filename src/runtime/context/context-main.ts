import type { Context } from './context.js';

/**
 * The function that a context's module exports by default: it runs on the context's own thread, once, and what it
 * returns is the `value` of the context's handle. `D` is the type of `data`, `V` of that value; both cross threads, so they
 * must be cloneable (no functions, no class instances with methods).
 *
 * @example
 * // adder.ts
 * export default (async (context, uri) => {
 *   const server = await context.listen(uri, { onRequest: ({ value }) => value.a + value.b });
 *   return server.uri;
 * }) satisfies ContextMain<string, string>;
 *
 * // main.ts: with the function's type, `data` and `value` are checked
 * import type adder from './adder.js';
 * const context = await node.startContext<typeof adder>(new URL('./adder.js', import.meta.url), { data: 'shm://adder' });
 * await node.context.connect(context.value);
 */
// biome-ignore lint/suspicious/noExplicitAny: a main function without types of its own takes whatever it is given
export type ContextMain<D = any, V = unknown, C = Context> = (context: C, data: D) => V | Promise<V>;

/** Any function that a module may export as its main function. */
// biome-ignore lint/suspicious/noExplicitAny: the constraint that every main function meets
export type AnyContextMain = (context: any, data: any) => unknown;

/** The type of `data` that a main function takes. */
export type ContextDataOf<M extends AnyContextMain> = Parameters<M>[1];

/** The type of what a main function returns, or its promise resolves to. */
export type ContextValueOf<M extends AnyContextMain> = Awaited<ReturnType<M>>;
