import type { ContextMain } from 'heddle';

/** Squares numbers, and counts the even ones. */
export default (async (context, uri) => {
  const even = context.counter('even');
  const server = await context.listen(uri, {
    onRequest: ({ value: number }) => {
      if (number % 2 === 0) even.add();
      return number * number;
    },
  });
  return server.uri;
}) satisfies ContextMain<string, string>;
