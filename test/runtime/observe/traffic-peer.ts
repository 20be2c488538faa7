import type { Context, Message } from '../../../src/index.js';

export interface TrafficPeer {
  readonly uri: string;
  /** Keep one-way messages, unreleased, in this number at most. */
  readonly depthMessages?: number;
  /** Allocate a buffer, and forget it. */
  readonly leak?: boolean;
}

const kept: Message[] = [];

export default async function main(context: Context, { uri, depthMessages, leak }: TrafficPeer): Promise<string> {
  if (leak) context.allocate(100);
  const server = await context.listen(uri, {
    onRequest: (message) => message.value,
    onMessage: (message) => {
      if (depthMessages === undefined) return;
      message.keep();
      kept.push(message);
    },
    ...(depthMessages === undefined ? {} : { options: { receiveDepthMessages: depthMessages } }),
  });
  return server.uri;
}
