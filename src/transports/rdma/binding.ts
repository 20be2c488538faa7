import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { HeddleError } from '../../errors.js';

/** An IP address and a port. */
export interface SocketAddress {
  readonly host: string;
  readonly port: number;
}

/** One thread's share of UCX: native/src/worker_object.h. Calls throw errors with UCX's `status` where it has one. */
export interface NativeWorker {
  /** Returns how many completions there are; -1 when there are none, but UCX had something to do. */
  exchange(submissions: number): number;
  submit(submissions: number): number;
  arm(): boolean;
  disarm(): void;
  listen(host: string, port: number): { readonly id: number; readonly address: SocketAddress };
  closeListener(id: number): void;
  connect(host: string, port: number): number;
  endpointAddress(endpoint: number, ofPeer: boolean): SocketAddress | undefined;
  describeEndpoint(endpoint: number): string;
  /** Whether UCX was started with one-sided operations: the first worker of the process wanted them, and there is a device for them. */
  isOneSided(): boolean;
  registerMemory(memory: Uint8Array): number;
  unregisterMemory(id: number): void;
  /** Where registered memory begins, as peers address it. */
  memoryAddress(memory: number): bigint;
  packKey(memory: number): Buffer;
  unpackKey(endpoint: number, packed: Uint8Array): number;
  releaseKey(endpoint: number, key: number): void;
  close(): void;
}

/** The native part. */
export interface Binding {
  /** Loads UCX, and returns its version. */
  loadUcx(): string;
  /** What UCX says of the devices and transports of this machine. */
  describeResources(): string;
  statusText(status: number): string;
  readonly Worker: new (
    submissions: Int32Array,
    completions: Int32Array,
    receiveArea: Uint8Array,
    onWake: () => void,
    oneSided: boolean,
  ) => NativeWorker;
}

/** Seen from dist/src/transports/rdma. The environment can name another build: that with sanitizers, say. */
const bindingPath =
  process.env.HEDDLE_RDMA_BINDING ??
  fileURLToPath(new URL('../../../../native/build/Release/heddle_rdma.node', import.meta.url));
const installUcx = 'apt-get install libucx-dev g++ make python3';
const buildBinding = 'npm run build:native';

let loaded: Binding | undefined;

/** Where the binding is built to. */
export function bindingFile(): { readonly path: string; readonly isBuilt: boolean } {
  return { path: bindingPath, isBuilt: existsSync(bindingPath) };
}

/**
 * The binding, with UCX loaded.
 * @throws HeddleError `ERR_HEDDLE_TRANSPORT_UNAVAILABLE` that says what is missing, and the command that brings it
 */
export function loadBinding(): Binding {
  if (loaded !== undefined) return loaded;
  if (process.platform !== 'linux') {
    throw unavailable(`rdma:// needs UCX, which runs on Linux and not on ${process.platform}; use tcp://`);
  }
  if (!existsSync(bindingPath)) {
    throw unavailable(
      `rdma:// needs heddle's native part, which was not built: UCX's headers or a compiler were missing when heddle was ` +
        `installed. As root: ${installUcx} && ${buildBinding} (in heddle's folder); path=${bindingPath}`,
    );
  }
  let binding: Binding;
  try {
    binding = createRequire(import.meta.url)(bindingPath) as Binding;
  } catch (cause) {
    throw unavailable(
      `heddle's native part does not load: build it again with ${buildBinding}; path=${bindingPath}`,
      cause,
    );
  }
  try {
    binding.loadUcx();
  } catch (cause) {
    const why = (cause as Error).message;
    throw unavailable(`rdma:// needs UCX 1.13 or newer: ${why}. As root: apt-get install libucx0`, cause);
  }
  loaded = binding;
  return binding;
}

function unavailable(message: string, cause?: unknown): HeddleError {
  return new HeddleError('ERR_HEDDLE_TRANSPORT_UNAVAILABLE', message, { cause, details: { transport: 'rdma' } });
}
