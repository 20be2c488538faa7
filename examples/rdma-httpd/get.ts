import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import type { RdmaClient } from './client.js';

/** A file that was downloaded. */
export interface Fetched {
  readonly url: URL;
  readonly bytes: number;
  readonly by: 'rdma' | 'http';
}

/** Downloads a URL below a folder; with `isRecursive`, all that is in it when it is a folder. Like wget. */
export async function* download(
  client: RdmaClient,
  start: URL,
  folder: string,
  { isRecursive = false } = {},
): AsyncGenerator<Fetched> {
  const waiting = [start];
  for (let url = waiting.pop(); url !== undefined; url = waiting.pop()) {
    if (url.pathname.endsWith('/') && isRecursive) {
      for (const name of await list(client, url)) {
        const below = new URL(name.split('/').map(encodeURIComponent).join('/'), url);
        // A server that names what lies elsewhere is not followed.
        if (below.origin === url.origin && below.pathname.startsWith(url.pathname)) waiting.push(below);
      }
    } else yield { url, ...(await fetchFile(client, url, pathFor(url, folder))) };
  }
}

function pathFor(url: URL, folder: string): string {
  const name = decodeURIComponent(url.pathname.endsWith('/') ? `${url.pathname}index` : url.pathname);
  const path = resolve(join(folder, name));
  if (!path.startsWith(resolve(folder) + sep)) throw new Error(`${url} has no place below ${folder}`);
  return path;
}

async function list(client: RdmaClient, url: URL): Promise<string[]> {
  const pieces: Buffer[] = [];
  const { status } = await client.get(url, (bytes) => void pieces.push(Buffer.from(bytes)));
  if (status !== 200) throw new Error(`${url}: ${status}`);
  return JSON.parse(Buffer.concat(pieces).toString()) as string[];
}

async function fetchFile(client: RdmaClient, url: URL, path: string) {
  await mkdir(dirname(path), { recursive: true });
  const file = createWriteStream(path);
  const failed = new Promise<never>((_, reject) => file.on('error', reject));
  failed.catch(() => {});
  try {
    const { status, bytes, by } = await client.get(url, (piece) =>
      Promise.race([
        failed,
        new Promise<void>((written) => {
          file.write(piece, () => written());
        }),
      ]),
    );
    if (status !== 200) throw new Error(`${url}: ${status}`);
    return { bytes, by };
  } finally {
    await new Promise<void>((ended) => {
      file.once('close', ended);
      file.end();
    });
  }
}
