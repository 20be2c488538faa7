import type { Connection, ContextMain, SessionTicket } from 'heddle';

/** Requests under way at a time. */
const window = 128;

/** Joins the session with a connection of this context's own, sends its requests, and reports. */
export default (async (context, { ticket, requests }) => {
  const connection = await context.join(ticket);
  const startedMs = performance.now();
  const servedBy = await greetAll(connection, context.name, requests);
  const seconds = (performance.now() - startedMs) / 1000;
  await connection.close();
  return { servedBy, seconds };
}) satisfies ContextMain<{ ticket: SessionTicket; requests: number }, { servedBy: string; seconds: number }>;

/** Keeps `window` requests under way until all are answered; resolves to the context that answered. */
function greetAll(connection: Connection, name: string, requests: number): Promise<string> {
  return new Promise((resolve, reject) => {
    let sent = 0;
    let answered = 0;
    const ask = (more: boolean) => {
      sent++;
      connection.requestWith({ name }, waiter, { more });
    };
    const waiter = {
      onResponse: (message: { readonly value: { from: string }; readonly more: boolean }) => {
        if (++answered === requests) resolve(message.value.from);
        else if (sent < requests) ask(message.more);
      },
      onError: reject,
    };
    while (sent < Math.min(window, requests)) ask(sent < window - 1);
  });
}
