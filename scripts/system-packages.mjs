import { execFileSync } from 'node:child_process';

/**
 * What the tests need from the operating system, by the names of Debian's packages: the one list, used by
 * `npm test` and by the continuous integration run. Each entry can tell whether the thing is there, whoever
 * installed it.
 */
export const systemPackages = [
  { name: 'spin', purpose: 'model checking of the ring', isPresent: () => runs('spin', ['-V']) },
  { name: 'gcc', purpose: "compiles the model checker's verifier", isPresent: () => runs('gcc', ['--version']) },
  {
    name: 'libc6-dev',
    purpose: "C headers for the model checker's verifier",
    isPresent: () => runs('gcc', ['-E', '-x', 'c', '-'], '#include <stdio.h>\n'),
  },
  { name: 'iproute2', purpose: 'shows what sockets are set to', isPresent: () => runs('ss', ['-V']) },
  { name: 'curl', purpose: 'a client of the example services', isPresent: () => runs('curl', ['--version']) },
  {
    name: 'wrk',
    purpose: 'loads the web server of the examples',
    isPresent: () => runs('sh', ['-c', 'command -v wrk']),
  },
  {
    name: 'chromium',
    purpose: 'a browser, for the web server of the examples',
    isPresent: () =>
      runs('sh', ['-c', 'command -v chromium || command -v chromium-browser || command -v google-chrome']),
  },
  {
    name: 'libucx-dev',
    purpose: "UCX and its headers, for the rdma transport's native part",
    isPresent: () => runs('gcc', ['-E', '-x', 'c', '-'], '#include <ucp/api/ucp.h>\n'),
  },
  { name: 'g++', purpose: 'compiles the native part', isPresent: () => runs('g++', ['--version']) },
  { name: 'make', purpose: 'builds the native part', isPresent: () => runs('make', ['--version']) },
  { name: 'python3', purpose: 'node-gyp runs on it', isPresent: () => runs('python3', ['--version']) },
];

/** Whether `command` starts and exits with 0 when given `input`. */
export function runs(command, args, input = '') {
  try {
    execFileSync(command, args, { input, stdio: ['pipe', 'ignore', 'ignore'], timeout: 30_000 });
    return true;
  } catch {
    return false;
  }
}
