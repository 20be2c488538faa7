import { existsSync } from 'node:fs';
import { runs } from '../system-packages.mjs';

/**
 * What the verbs lab needs from the operating system, by the names of Debian's packages. Beside these it takes a kernel,
 * which it downloads and unpacks into its own cache, without installing it.
 */
export const labPackages = [
  { name: 'qemu-system-x86', purpose: 'boots the guests', isPresent: () => runs('qemu-system-x86_64', ['--version']) },
  { name: 'busybox-static', purpose: 'the first process of a guest', isPresent: () => existsSync('/bin/busybox') },
  { name: 'cpio', purpose: "packs the guests' first file system", isPresent: () => runs('cpio', ['--version']) },
  { name: 'kmod', purpose: "finds the guests' kernel modules", isPresent: () => runs('modprobe', ['--version']) },
  { name: 'xz-utils', purpose: 'unpacks the kernel', isPresent: () => runs('xz', ['--version']) },
  { name: 'iproute2', purpose: 'network, netem and rdma devices in the guests', isPresent: () => runs('rdma', ['-V']) },
  { name: 'iputils-ping', purpose: 'finds the other guest', isPresent: () => runs('ping', ['-V']) },
  {
    name: 'ibverbs-providers',
    purpose: 'the user space part of SoftRoCE',
    isPresent: () => existsSync('/etc/libibverbs.d/rxe.driver'),
  },
  {
    name: 'librdmacm1',
    purpose: "the connection manager of UCX's listeners",
    isPresent: () => runs('ldconfig', ['-p']) && existsSync('/usr/lib/x86_64-linux-gnu/librdmacm.so.1'),
  },
  { name: 'libucx0', purpose: 'UCX', isPresent: () => existsSync('/usr/lib/x86_64-linux-gnu/libucp.so.0') },
];
