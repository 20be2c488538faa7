/** A folder of files for the benchmarks of web servers, and a check of what a server makes of them. */
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fillPayload } from './payload.js';

export interface SiteFolder {
  readonly folder: string;
  /** Path of the file in the URL. */
  readonly path: string;
  readonly lengthBytes: number;
  readonly sha256: string;
  remove(): Promise<void>;
}

/** Makes a folder with one file of that size. */
export async function makeSite(lengthBytes: number): Promise<SiteFolder> {
  const folder = await mkdtemp(join(tmpdir(), 'heddle-bench-site-'));
  const bytes = Buffer.alloc(Math.max(8, lengthBytes));
  fillPayload(bytes);
  await writeFile(join(folder, 'file.bin'), bytes);
  return {
    folder,
    path: '/file.bin',
    lengthBytes: bytes.length,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

/** Throws unless the server at `url` gives the site's file, whole. */
export async function checkSite(url: string, { path, sha256 }: SiteFolder): Promise<void> {
  const response = await fetch(url + path);
  const bytes = Buffer.from(await response.arrayBuffer());
  const found = createHash('sha256').update(bytes).digest('hex');
  if (response.status !== 200 || found !== sha256) {
    throw new Error(`wrong file: status=${response.status} lengthBytes=${bytes.length} sha256=${found}`);
  }
}
