import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type Context, createNode, type RegionHandle, type RemoteRegion } from '../../src/index.js';
import { check, open, untilItFails } from './asking.js';
import { contextOptions, mebibyte } from './terms.js';

const readers = 3;
/** What each of them has done of both before it is killed. */
const operationsBefore = 4;
const halfBytes = mebibyte / 2;

/** Reads one half of the service's region over and over, and writes the other one, until `region` is no more. */
async function useWithoutEnd(region: RemoteRegion, onDone: () => void): Promise<void> {
  const bytes = Buffer.alloc(halfBytes, 3);
  await Promise.all([
    untilItFails(() => region.read(0, halfBytes).then(onDone)),
    untilItFails(() => region.write(halfBytes, bytes).then(onDone)),
  ]);
}

/** What this file is as a process: one that is killed. */
export async function readUntilKilled(): Promise<void> {
  const { context } = createNode({ contextOptions });
  const { connection } = await open(context);
  const region = await connection.openRegion((await connection.request('region')).value as RegionHandle);
  assert.equal(region.way, 'rdma');
  let operations = 0;
  await useWithoutEnd(region, () => {
    if (++operations === 2 * operationsBefore) console.log('in the midst of it');
  });
}

/** Processes that read and write memory of the service, and are killed while they do. */
export async function killedReaders(context: Context): Promise<void> {
  await check(
    'readers and writers that are killed in the midst of it: the owner lives, and others reach it',
    async () => {
      const { connection } = await open(context);
      const region = await connection.openRegion((await connection.request('region')).value as RegionHandle);
      for (let number = 0; number < readers; number++) {
        const script = fileURLToPath(new URL('./two-hosts.js', import.meta.url));
        const reader = spawn(process.execPath, [script, 'read'], { stdio: ['ignore', 'pipe', 'inherit'] });
        const exited = once(reader, 'exit');
        let isBusy = false;
        for await (const line of createInterface(reader.stdout)) {
          if (!line.startsWith('in the midst')) continue;
          isBusy = true;
          break;
        }
        assert.ok(isBusy, 'the reader has ended by itself');
        reader.kill('SIGKILL');
        await exited;
        const bytes = Buffer.alloc(halfBytes, number + 10);
        await region.write(0, bytes);
        assert.ok((await region.read(0, halfBytes)).equals(bytes));
        assert.equal((await connection.request('alive')).value, 'alive');
      }
      assert.equal(region.way, 'rdma');
      await region.write(0, Buffer.alloc(64));
      await connection.close();
    },
  );
}
