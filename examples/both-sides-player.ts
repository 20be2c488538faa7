import type { ContextMain } from 'heddle';

/** Guesses a number, by asking whoever asked for it. */
export default (async (context, uri) => {
  const server = await context.listen(uri, {
    onRequest: async (message, connection) => {
      let { from, to } = message.value;
      for (let questions = 1; ; questions++) {
        const number = (from + to) >> 1;
        const { value: answer } = await connection.request(number);
        if (answer === 'right') return { number, questions };
        if (answer === 'higher') from = number + 1;
        else to = number - 1;
      }
    },
  });
  return server.uri;
}) satisfies ContextMain<string, string>;
