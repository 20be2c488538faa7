import { readdirSync } from 'node:fs';
import { systemClock } from '../../clock.js';
import { type HeddleError, thrownFacts } from '../../errors.js';
import { bindingFile, loadBinding } from '../../transports/rdma/binding.js';
import { RdmaTransport } from '../../transports/rdma/rdma-transport.js';
import type { TransportHost, WireDescription } from '../../transports/transport.js';
import type { Finding } from './finding.js';
import type { Machine } from './machine.js';
import { processLimit } from './machine-checks.js';

const devicesFolder = '/sys/class/infiniband';
/** Memory that an RDMA device reaches is locked: below this, slabs soon find none. */
const comfortableLockedBytes = 1024 ** 3;
const peerTimeoutMs = 5_000;

/** What rdma:// stands on: the native part, UCX, devices, and the limit that devices meet first. */
export function checkRdma(machine: Machine, devices: readonly RdmaDevice[] = findDevices(machine)): Finding[] {
  return [checkBinding(), ...checkResources(), checkDevices(devices), checkDeviceMemory(machine, devices)];
}

function checkBinding(): Finding {
  const { path, isBuilt } = bindingFile();
  try {
    const version = loadBinding().loadUcx();
    const facts = { runs: true, ucxVersion: version, path };
    return { id: 'transport-rdma', status: 'ok', summary: `rdma can run, on UCX ${version}`, facts };
  } catch (error) {
    const action = thrownFacts(error).message;
    const summary = isBuilt ? 'rdma cannot run: UCX does not load' : 'rdma cannot run: its native part is not built';
    // Everything else works without.
    return { id: 'transport-rdma', status: 'advice', summary, action, facts: { runs: false, isBuilt, path } };
  }
}

/** What UCX can use, out of `resource 1  :  md 1  dev 1  flags -- tcp/lo`. */
function checkResources(): Finding[] {
  try {
    const resources = [
      ...loadBinding()
        .describeResources()
        .matchAll(/resource \d+ .*--\s*(\S+)\/(\S+)/g),
    ];
    const names = resources.map(([, transport, device]) => `${transport}/${device}`);
    const facts = {
      resources: names,
      tls: process.env.UCX_TLS ?? null,
      netDevices: process.env.UCX_NET_DEVICES ?? null,
    };
    const limited = process.env.UCX_TLS === undefined ? '' : ` (UCX_TLS=${process.env.UCX_TLS})`;
    if (names.length > 0) {
      return [{ id: 'ucx-transports', status: 'ok', summary: `${names.join(', ')}${limited}`, facts }];
    }
    const action = 'look at UCX_TLS and UCX_NET_DEVICES in the environment: they leave nothing that UCX could use';
    return [{ id: 'ucx-transports', status: 'problem', summary: `none${limited}`, action, facts }];
  } catch {
    // The finding before this one says why.
    return [];
  }
}

/** A port of an RDMA device, as the kernel tells of it. */
export interface RdmaDevice {
  readonly name: string;
  readonly port: string;
  /** `ACTIVE`, `DOWN`, `INIT`... */
  readonly state: string;
  readonly linkLayer: string;
  readonly rate: string;
}

function findDevices(machine: Machine): RdmaDevice[] {
  const list = (path: string): string[] => {
    try {
      return readdirSync(path);
    } catch {
      return [];
    }
  };
  return list(devicesFolder).flatMap((name) =>
    list(`${devicesFolder}/${name}/ports`).map((port) => {
      const read = (file: string) => machine.readTextFile(`${devicesFolder}/${name}/ports/${port}/${file}`)?.trim();
      return {
        name,
        port,
        state: read('state')?.replace(/^\d+:\s*/, '') ?? 'not known',
        linkLayer: read('link_layer') ?? 'not known',
        rate: read('rate') ?? 'not known',
      };
    }),
  );
}

function checkDevices(devices: readonly RdmaDevice[]): Finding {
  const facts = { devices };
  if (devices.length === 0) {
    const summary = 'no RDMA device; rdma:// then uses TCP or shared memory, and connection.wire says so';
    return { id: 'rdma-devices', status: 'ok', summary, facts };
  }
  const summary = devices
    .map(({ name, port, state, linkLayer, rate }) => `${name}:${port} ${state}, ${linkLayer}, ${rate}`)
    .join('; ');
  const idle = devices.filter(({ state }) => state !== 'ACTIVE');
  if (idle.length === 0) return { id: 'rdma-devices', status: 'ok', summary, facts };
  const action =
    `bring up ${idle.map(({ name, port }) => `${name}:${port}`).join(', ')}: look at the cable and at the network ` +
    'interface below it (ip link, rdma link)';
  return { id: 'rdma-devices', status: 'advice', summary, action, facts };
}

function checkDeviceMemory(machine: Machine, devices: readonly RdmaDevice[]): Finding {
  const limitBytes = processLimit(machine, 'Max locked memory');
  const isKnown = limitBytes !== undefined && Number.isFinite(limitBytes);
  const facts = { limitBytes: isKnown ? limitBytes : null, comfortableBytes: comfortableLockedBytes };
  if (devices.length === 0) {
    return { id: 'rdma-memory', status: 'ok', summary: 'without an RDMA device no memory is locked', facts };
  }
  if (isKnown && limitBytes < comfortableLockedBytes) {
    const summary = `at most ${limitBytes} bytes may be locked, and memory that a device reaches is`;
    const action =
      'raise the limit: ulimit -l unlimited, LimitMEMLOCK=infinity for systemd, --ulimit memlock=-1 for a container; ' +
      'transparent huge pages (shmem_enabled=advise) spare devices entries of their tables';
    return { id: 'rdma-memory', status: 'advice', summary, action, facts };
  }
  return { id: 'rdma-memory', status: 'ok', summary: 'enough memory may be locked for devices', facts };
}

/** Connects to a portal of heddle, and says which wire UCX takes to it. */
export async function checkPeer(uri: string): Promise<Finding> {
  try {
    const { transports, devices, usesRdmaDevice } = await wireTo(uri);
    const facts = { uri, transports, devices, usesRdmaDevice };
    const summary = `${uri} by ${transports.join(', ')} on ${devices.join(', ')}`;
    if (usesRdmaDevice) return { id: 'peer', status: 'ok', summary, facts };
    const action = 'if both hosts have RDMA devices: see that they are ACTIVE, on one fabric, and allowed by UCX_TLS';
    return { id: 'peer', status: 'advice', summary: `${summary}: no RDMA device`, action, facts };
  } catch (error) {
    const { code, message } = error as HeddleError;
    const action = 'see that a heddle portal listens there, and that both sides have a transport of UCX in common';
    return { id: 'peer', status: 'problem', summary: message, action, facts: { uri, code: code ?? null } };
  }
}

async function wireTo(uri: string): Promise<WireDescription> {
  const ignore = () => {};
  const host: TransportHost = {
    clock: systemClock,
    receiver: { onRecord: () => 1, onWritable: ignore, onLinkClosed: ignore },
    onLink: ignore,
    enterTurn: ignore,
    leaveTurn: ignore,
    wake: ignore,
    onDoorbellRung: ignore,
    report: ignore,
  };
  const transport = new RdmaTransport(host);
  // There is no context here that would poll.
  const polling = setInterval(() => transport.poll(256), 1);
  try {
    const options = { connectTimeoutMs: peerTimeoutMs, frameBytes: 64 * 1024, socketBufferBytes: 64 * 1024 };
    const link = await transport.connect(uri, options);
    return link.wireDescription;
  } finally {
    await transport.close();
    clearInterval(polling);
  }
}
