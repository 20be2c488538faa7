import type { Context } from '../../src/index.js';

/** Answers each number with the next one, on whatever connections there are. */
export default async function main(context: Context, uri: string): Promise<void> {
  await context.listen(uri, { onRequest: (message) => (message.value as number) + 1 });
}
