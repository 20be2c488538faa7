import { once } from 'node:events';
import net from 'node:net';
import { Worker } from 'node:worker_threads';
import { thrownFacts } from '../../errors.js';
import { loadNativeBells } from '../../transports/shm/native-bell.js';
import type { Finding } from './finding.js';

/** Both probes take milliseconds; a machine on which one takes this long cannot run that transport. */
const probeTimeoutMs = 5_000;

/** Tries, for each transport, the thing of the operating system and of Node.js that it stands on. */
export async function checkTransports(): Promise<Finding[]> {
  return [
    await probe('transport-shm', probeSharedMemory, {
      works: 'shm can run: a worker thread shares memory and wakes this thread',
      action: 'allow worker threads and SharedArrayBuffer: contexts of one process talk through them',
    }),
    checkDoorbell(),
    await probe('transport-tcp', probeLoopback, {
      works: 'tcp can run: a loopback socket carries bytes',
      action: 'allow sockets on 127.0.0.1: portals listen there unless told otherwise',
    }),
  ];
}

async function probe(
  id: string,
  attempt: (signal: AbortSignal) => Promise<void>,
  texts: { works: string; action: string },
): Promise<Finding> {
  const start = performance.now();
  try {
    await attempt(AbortSignal.timeout(probeTimeoutMs));
    const tookMs = Math.round((performance.now() - start) * 10) / 10;
    return { id, status: 'ok', summary: texts.works, facts: { runs: true, tookMs } };
  } catch (error) {
    const reason = thrownFacts(error).message;
    const summary = `${id.slice('transport-'.length)} cannot run: ${reason}`;
    return { id, status: 'problem', summary, action: texts.action, facts: { runs: false, reason } };
  }
}

/** How contexts of a process wake each other. */
function checkDoorbell(): Finding {
  const isNative = loadNativeBells() !== undefined;
  const facts = { native: isNative };
  if (isNative) return { id: 'doorbell', status: 'ok', summary: 'threads wake each other by the native bell', facts };
  return {
    id: 'doorbell',
    status: 'advice',
    summary: 'threads wake each other through message ports, which takes about twice as long as the native bell',
    action: "build the native part: npm run build:native in heddle's folder, with a C++ compiler",
    facts,
  };
}

/** A worker answers through shared memory alone what it found there, then rings with a message. */
async function probeSharedMemory(signal: AbortSignal): Promise<void> {
  const words = new Int32Array(new SharedArrayBuffer(8));
  words[0] = 41;
  const source = `
    const { workerData, parentPort } = require('node:worker_threads');
    Atomics.store(workerData, 1, Atomics.load(workerData, 0) + 1);
    parentPort.postMessage('done');`;
  const worker = new Worker(source, { eval: true, workerData: words });
  try {
    await once(worker, 'message', { signal });
    if (Atomics.load(words, 1) !== 42) throw new Error('what a worker thread stores is not seen here');
  } finally {
    await worker.terminate();
  }
}

/** A listener on a free port of 127.0.0.1 sends back what it is sent. */
async function probeLoopback(signal: AbortSignal): Promise<void> {
  const server = net.createServer((socket) => socket.on('error', () => socket.destroy()).pipe(socket));
  let client: net.Socket | undefined;
  try {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening', { signal });
    client = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1');
    await once(client, 'connect', { signal });
    const question = 'heddle';
    client.write(question);
    let answer = '';
    while (answer.length < question.length) answer += String((await once(client, 'data', { signal }))[0]);
    if (answer !== question) throw new Error('a loopback socket changed the bytes sent through it');
  } finally {
    client?.destroy();
    server.close();
  }
}
