import type { Finding } from './finding.js';
import type { Machine } from './machine.js';

const mebibyte = 1024 * 1024;

/** The release lines that the tests run on. */
const testedNodeLines: readonly number[] = [20, 22, 24, 26];
const oldestNode = { major: 20, minor: 19 };

/** Below this, contexts and their rings compete with everything else for memory. */
const comfortableMemoryBytes = 512 * mebibyte;
/** Each TCP link holds a descriptor, and so does each thing the user's own code opens. */
const comfortableOpenFiles = 1024;

/** Looks at everything about the machine that heddle depends on or profits from. */
export function checkMachine(machine: Machine): Finding[] {
  return [
    checkNode(machine),
    checkPlatform(machine),
    checkCores(machine),
    checkMemory(machine),
    checkOpenFiles(machine),
    checkSharedMemoryFolder(machine),
    checkLockedMemory(machine),
    checkHugePages(machine),
  ];
}

function checkNode({ nodeVersion }: Machine): Finding {
  const [major = 0, minor = 0] = nodeVersion.split('.').map(Number);
  const facts = { version: nodeVersion, testedLines: testedNodeLines };
  const summary = `Node.js ${nodeVersion}`;
  const tested = testedNodeLines.join(', ');
  if (major < oldestNode.major || (major === oldestNode.major && minor < oldestNode.minor)) {
    const action = `install Node.js ${oldestNode.major}.${oldestNode.minor} or newer; tested: ${tested}`;
    return { id: 'node', status: 'problem', summary: `${summary} is too old`, action, facts };
  }
  if (!testedNodeLines.includes(major)) {
    const action = `prefer a release line that heddle is tested on: ${tested}`;
    return { id: 'node', status: 'advice', summary: `${summary} is not a tested release line`, action, facts };
  }
  return { id: 'node', status: 'ok', summary: `${summary}, supported`, facts };
}

function checkPlatform({ platform, architecture, littleEndian }: Machine): Finding {
  const facts = { platform, architecture, littleEndian };
  const summary = `${platform} on ${architecture}`;
  if (!littleEndian) {
    const action = 'use a little-endian machine: records lie in memory and on the wire in that order';
    return { id: 'platform', status: 'problem', summary: `${summary} is big-endian`, action, facts };
  }
  if (platform !== 'linux') {
    const action = 'run the tests here before relying on it: heddle is tested on Linux';
    return { id: 'platform', status: 'advice', summary, action, facts };
  }
  return { id: 'platform', status: 'ok', summary, facts };
}

function checkCores(machine: Machine): Finding {
  const { availableCores } = machine;
  const quotaCores = coreQuota(machine);
  const facts = { availableCores, quotaCores };
  const usable = Math.min(availableCores, quotaCores ?? availableCores);
  const summary =
    quotaCores === undefined || quotaCores >= availableCores
      ? `${availableCores} available`
      : `${availableCores} available, of which a quota leaves the time of ${quotaCores}`;
  if (usable < 2) {
    const action = 'give the process two cores or more: on one, contexts take turns and a message waits for its turn';
    return { id: 'cores', status: 'advice', summary, action, facts };
  }
  return { id: 'cores', status: 'ok', summary, facts };
}

/** The processor time that a control group (a container, most often) allows, in cores. */
function coreQuota(machine: Machine): number | undefined {
  const match = /^(\d+) (\d+)/.exec(machine.readTextFile('/sys/fs/cgroup/cpu.max') ?? '');
  return match === null ? undefined : Number(match[1]) / Number(match[2]);
}

function checkMemory(machine: Machine): Finding {
  const limitText = machine.readTextFile('/sys/fs/cgroup/memory.max')?.trim();
  const limitBytes = limitText !== undefined && /^\d+$/.test(limitText) ? Number(limitText) : undefined;
  const usableBytes = Math.min(machine.totalMemoryBytes, limitBytes ?? Number.POSITIVE_INFINITY);
  const facts = { totalBytes: machine.totalMemoryBytes, freeBytes: machine.freeMemoryBytes, limitBytes };
  const limited = usableBytes < machine.totalMemoryBytes ? ', the limit of the control group' : '';
  const summary = `${formatBytes(usableBytes)}${limited}; ${formatBytes(machine.freeMemoryBytes)} free on the machine`;
  if (usableBytes < comfortableMemoryBytes) {
    const action = `give the process ${formatBytes(comfortableMemoryBytes)} or more, or start few contexts`;
    return { id: 'memory', status: 'advice', summary, action, facts };
  }
  return { id: 'memory', status: 'ok', summary, facts };
}

function checkOpenFiles(machine: Machine): Finding {
  const limit = processLimit(machine, 'Max open files');
  const facts = { limit: finiteOrNull(limit) };
  if (limit === undefined) return { id: 'open-files', status: 'ok', summary: 'limit not known here', facts };
  const summary = Number.isFinite(limit) ? `at most ${limit}` : 'no limit';
  if (limit < comfortableOpenFiles) {
    const action = `raise it (ulimit -n ${comfortableOpenFiles}): every tcp link takes one`;
    return { id: 'open-files', status: 'advice', summary, action, facts };
  }
  return { id: 'open-files', status: 'ok', summary, facts };
}

function checkSharedMemoryFolder(machine: Machine): Finding {
  const space = machine.space('/dev/shm');
  const facts = { sizeBytes: space?.sizeBytes ?? null, freeBytes: space?.freeBytes ?? null };
  const found =
    space === undefined ? 'not there' : `${formatBytes(space.sizeBytes)}, ${formatBytes(space.freeBytes)} free`;
  // The rings of shm are SharedArrayBuffers, which threads of one process share without any file.
  return { id: 'dev-shm', status: 'ok', summary: `${found}; the shm transport does not need it`, facts };
}

function checkLockedMemory(machine: Machine): Finding {
  const limitBytes = processLimit(machine, 'Max locked memory');
  const found = limitBytes === undefined ? 'limit not known here' : lockedMemoryLimit(limitBytes);
  const facts = { limitBytes: finiteOrNull(limitBytes) };
  return { id: 'locked-memory', status: 'ok', summary: `${found}; shm and tcp lock none`, facts };
}

function lockedMemoryLimit(limitBytes: number): string {
  return Number.isFinite(limitBytes) ? `at most ${formatBytes(limitBytes)}` : 'no limit';
}

function checkHugePages(machine: Machine): Finding {
  const mode = (path: string) => /\[(\w+)\]/.exec(machine.readTextFile(path) ?? '')?.[1] ?? null;
  const transparent = mode('/sys/kernel/mm/transparent_hugepage/enabled');
  const transparentShared = mode('/sys/kernel/mm/transparent_hugepage/shmem_enabled');
  const reservedText = /^HugePages_Total:\s+(\d+)/m.exec(machine.readTextFile('/proc/meminfo') ?? '')?.[1];
  const reservedPages = reservedText === undefined ? null : Number(reservedText);
  const facts = { transparent, transparentShared, reservedPages };
  const summary = `transparent: ${transparent ?? 'not known'}; reserved: ${reservedPages ?? 'not known'}`;
  return { id: 'huge-pages', status: 'ok', summary: `${summary}; shm and tcp work with any setting`, facts };
}

/** The soft limit of that name; infinite when there is none, undefined when the system does not tell. */
export function processLimit(machine: Machine, name: string): number | undefined {
  const line = machine
    .readTextFile('/proc/self/limits')
    ?.split('\n')
    .find((text) => text.startsWith(name));
  const soft = line?.slice(name.length).trim().split(/\s+/)[0];
  if (soft === undefined) return undefined;
  return soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft);
}

/** JSON knows no infinity: there, null says that there is no limit or that it is not known. */
function finiteOrNull(limit: number | undefined): number | null {
  return limit !== undefined && Number.isFinite(limit) ? limit : null;
}

function formatBytes(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${value >= 10 || unit === 0 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}
