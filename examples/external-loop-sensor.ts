import type { ContextMain } from 'heddle';

/** Sends readings, in batches of ten. */
export default (async (context, { uri, readings }) => {
  const connection = await context.connect(uri);
  for (let reading = 1; reading <= readings; reading++) {
    connection.send(reading, { more: reading % 10 !== 0 });
  }
  await connection.ready();
}) satisfies ContextMain<{ uri: string; readings: number }, void>;
