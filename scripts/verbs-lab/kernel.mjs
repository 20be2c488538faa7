import { execFileSync, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { updatePackageLists } from '../install-packages.mjs';
import { cacheFolder, makeOwnFolder } from './own-folder.mjs';

const guestInit = fileURLToPath(new URL('./guest/init.sh', import.meta.url));
/** What the guests' first file system needs, to mount the machine's own. */
const firstModules = ['virtio_pci', '9pnet_virtio', '9p', 'overlay'];
/** Parts of the kernel that no guest has a device for. */
const idleModules = [
  'sound',
  ...['gpu', 'media', 'staging', 'usb', 'hid', 'iio', 'scsi', 'ata', 'mmc', 'mtd', 'input'].map(
    (name) => `drivers/${name}`,
  ),
];

/**
 * The kernel that guests boot, with its modules and first file system: Debian's newest `linux-image-amd64`, the flavour
 * that has SoftRoCE and the 9p file system. The first call downloads and unpacks it, into the cache; nothing is installed.
 */
export function prepareKernel() {
  mkdirSync(cacheFolder, { recursive: true });
  const version = unpackedVersion() ?? unpackNewest();
  const folder = join(cacheFolder, version);
  const kernel = {
    version,
    image: join(folder, 'vmlinux'),
    initrd: join(folder, 'initrd'),
    modules: join(folder, 'lib/modules'),
  };
  writeInitrd(folder, kernel);
  return kernel;
}

/** The newest that is unpacked already, so that runs need no network. */
function unpackedVersion() {
  const unpacked = readdirSync(cacheFolder).filter((name) => existsSync(join(cacheFolder, name, 'vmlinux')));
  return unpacked.sort().at(-1);
}

/** Brings the newest that Debian has; what apt remembers of it may be too old, or missing. */
function unpackNewest() {
  const remembered = newestVersion();
  try {
    if (remembered !== undefined) return unpackKernel(remembered);
  } catch (error) {
    console.log(`verbs lab: linux-image-${remembered} is not to be had (${error.message}): looking for a newer one`);
  }
  updatePackageLists();
  const version = newestVersion();
  if (version === undefined) {
    throw new Error(
      'apt knows no package linux-image-amd64, the kernel that the guests boot: is this Debian on x86-64?',
    );
  }
  return unpackKernel(version);
}

/** The newest that apt knows of. */
function newestVersion() {
  const { stdout } = spawnSync('apt-cache', ['depends', 'linux-image-amd64'], { encoding: 'utf8', timeout: 60_000 });
  return /Depends: linux-image-(\S+)/.exec(stdout ?? '')?.[1];
}

function unpackKernel(version) {
  const folder = join(cacheFolder, version);
  console.log(`verbs lab: downloading linux-image-${version} (once)`);
  const work = makeOwnFolder('unpack');
  try {
    // apt would download as a user of its own, who may not enter the cache.
    execFileSync('apt-get', ['-q', '-o', 'APT::Sandbox::User=root', 'download', `linux-image-${version}`], {
      cwd: work,
      stdio: ['ignore', 'ignore', 'inherit'],
      timeout: 600_000,
    });
    const [archive] = readdirSync(work);
    const root = join(work, 'root');
    execFileSync('dpkg', ['-x', join(work, archive), root], { timeout: 300_000 });
    if (!existsSync(join(root, 'lib'))) symlinkSync('usr/lib', join(root, 'lib'));
    for (const name of idleModules)
      rmSync(join(root, 'lib/modules', version, 'kernel', name), { recursive: true, force: true });
    execFileSync('depmod', ['-b', root, version], { timeout: 120_000 });
    writeFileSync(join(root, 'vmlinux'), uncompressed(readFileSync(join(root, 'boot', `vmlinuz-${version}`))));
    rmSync(folder, { recursive: true, force: true });
    renameSync(root, folder);
    return version;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** The kernel without its decompressor, which would take long to emulate; a kernel of another make as it is. */
function uncompressed(image) {
  const magic = Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]);
  for (let at = image.indexOf(magic); at > 0; at = image.indexOf(magic, at + 1)) {
    try {
      const input = image.subarray(at);
      const options = { input, maxBuffer: 2 ** 28, stdio: ['pipe', 'pipe', 'ignore'], timeout: 120_000 };
      const elf = execFileSync('xz', ['-dc', '--single-stream'], options);
      if (elf.subarray(1, 4).toString() === 'ELF') return elf;
    } catch {
      // Those six bytes happened to be something else.
    }
  }
  return image;
}

function writeInitrd(folder, { version, initrd }) {
  const script = readFileSync(guestInit);
  const copyOfScript = join(folder, 'init.sh');
  if (existsSync(initrd) && existsSync(copyOfScript) && readFileSync(copyOfScript).equals(script)) return;
  const root = makeOwnFolder('initrd');
  try {
    for (const name of ['bin', 'modules', 'proc', 'sys', 'dev', 'ro', 'rw', 'new']) mkdirSync(join(root, name));
    copyFileSync('/bin/busybox', join(root, 'bin/busybox'));
    writeFileSync(join(root, 'init'), script, { mode: 0o755 });
    let number = 100;
    for (const file of modulesWithDependencies(folder, version)) {
      const name = basename(file).replace(/\.xz$/, '');
      const bytes = file.endsWith('.xz')
        ? execFileSync('xz', ['-dc', file], { maxBuffer: 2 ** 26 })
        : readFileSync(file);
      writeFileSync(join(root, 'modules', `${number++}-${name}`), bytes);
    }
    execFileSync('sh', ['-c', `find . | cpio -o -H newc --quiet > '${initrd}.new'`], { cwd: root, timeout: 60_000 });
    renameSync(`${initrd}.new`, initrd);
    writeFileSync(copyOfScript, script);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

/** Files of the modules, each behind those that it needs. */
function modulesWithDependencies(folder, version) {
  const files = new Set();
  for (const name of firstModules) {
    const args = ['-d', folder, '-S', version, '--show-depends', name];
    const lines = execFileSync('modprobe', args, { encoding: 'utf8', timeout: 30_000 }).split('\n');
    for (const line of lines) if (line.startsWith('insmod ')) files.add(line.split(' ')[1]);
  }
  return files;
}
