/** node:http with a static-file handler: the package `send` (Express's), a stream of the file, or the file in memory. */
import { createReadStream, readFileSync, statSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { requirePeer } from '../harness/requirement.js';
import { type Roles, startProcess } from '../harness/role.js';
import { type WebLoad, webSide } from '../harness/web-side.js';

interface StaticHttpOptions extends WebLoad {
  readonly handler: 'send' | 'stream' | 'memory';
}

type Send = (
  request: IncomingMessage,
  path: string,
  options: { root: string },
) => NodeJS.EventEmitter & {
  pipe(response: ServerResponse): void;
};

function sendHandler(folder: string) {
  const send = requirePeer('send') as Send;
  return (request: IncomingMessage, response: ServerResponse) => {
    send(request, new URL(request.url!, 'http://x').pathname, { root: folder })
      .on('error', () => {
        response.statusCode = 404;
        response.end();
      })
      .pipe(response);
  };
}

function streamHandler(folder: string, path: string) {
  const file = join(folder, path);
  const { size } = statSync(file);
  return (_: IncomingMessage, response: ServerResponse) => {
    response.writeHead(200, { 'Content-Type': 'application/octet-stream', 'Content-Length': size });
    createReadStream(file, { highWaterMark: 256 * 1024 }).pipe(response);
  };
}

function memoryHandler(folder: string, path: string) {
  const bytes = readFileSync(join(folder, path));
  return (request: IncomingMessage, response: ServerResponse) => {
    if (request.url !== path) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { 'Content-Type': 'application/octet-stream', 'Content-Length': bytes.length });
    response.end(bytes);
  };
}

export const roles: Roles = {
  side: ({ handler, ...load }: StaticHttpOptions) =>
    webSide(load, async ({ folder, path }) => {
      const role = await startProcess(import.meta.url, 'server', { folder, path, handler });
      return { url: await role.call<string>('url'), stop: () => role.stop() };
    }),
  server: async ({ folder, path, handler }) => {
    const handlers = { send: sendHandler, stream: streamHandler, memory: memoryHandler };
    const server = createServer(handlers[handler as StaticHttpOptions['handler']](folder, path));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return {
      url: () => `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      cpuSeconds: () => {
        const { user, system } = process.cpuUsage();
        return (user + system) / 1e6;
      },
    };
  },
};
