import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { getSystemErrorName } from 'node:util';
import { HeddleError } from './errors.js';

/** Calls of the operating system that Node.js does not offer. Each returns 0, or an error number. See native/system. */
interface NativeSystem {
  adviseHugePages(memory: Uint8Array): number;
  preferNumaNode(memory: Uint8Array, node: number): number;
  setTypeOfService(descriptor: number, value: number): number;
}

/** The package's folder, seen from dist/src. */
const libraryPath = fileURLToPath(new URL('../../native/build/Release/heddle_system.node', import.meta.url));
let system: NativeSystem | undefined;

/**
 * Does what the option `name` asks for by a call of the operating system. Returns why it could not be done:
 * `ERR_HEDDLE_OPTION_NOT_HONOURED`.
 */
function honour(name: string, value: unknown, call: (system: NativeSystem) => number): HeddleError | undefined {
  if (system === undefined && !existsSync(libraryPath)) {
    return notHonoured(name, value, "it needs heddle's native part: npm run build:native in heddle's folder");
  }
  try {
    system ??= createRequire(import.meta.url)(libraryPath) as NativeSystem;
    const errorNumber = call(system);
    if (errorNumber === 0) return undefined;
    return notHonoured(name, value, `the operating system refuses it (${getSystemErrorName(-errorNumber)})`);
  } catch (cause) {
    return notHonoured(name, value, `the native part does not work: ${String(cause)}`);
  }
}

function notHonoured(name: string, value: unknown, why: string): HeddleError {
  return new HeddleError('ERR_HEDDLE_OPTION_NOT_HONOURED', `${name}=${String(value)} has no effect: ${why}`, {
    details: { [name]: value },
  });
}

/** Lets the kernel back memory with huge pages. Before its first use, or they come only in time. */
export function adviseHugePages(memory: SharedArrayBuffer): HeddleError | undefined {
  return honour('hugePages', true, (native) => native.adviseHugePages(new Uint8Array(memory)));
}

/** Lets memory come from a NUMA node while that has some. */
export function preferNumaNode(memory: SharedArrayBuffer, node: number): HeddleError | undefined {
  return honour('numaNode', node, (native) => native.preferNumaNode(new Uint8Array(memory), node));
}

/** Sets the type of service (IPv4) or traffic class (IPv6) of what a connected socket sends. */
export function setTypeOfService(socket: Socket, value: number): HeddleError | undefined {
  const { _handle: handle } = socket as unknown as { _handle?: { readonly fd?: number } | null };
  return honour('typeOfService', value, (native) => native.setTypeOfService(handle?.fd ?? -1, value));
}
