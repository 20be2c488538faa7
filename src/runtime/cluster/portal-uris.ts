import { describe, HeddleError } from '../../errors.js';

const loopbackHosts = /^(|localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\]|\[0:0:0:0:0:0:0:1\])$/i;
const uriPattern = /^([a-z][a-z0-9+.-]*):\/\/(\[[^\]]*\]|[^:/?#]*)(?::(\d+))?/i;

function partsOf(uri: string): { scheme: string; host: string } {
  const match = uriPattern.exec(uri);
  if (match === null) {
    throw new HeddleError('ERR_HEDDLE_INVALID_URI', `listen takes portals as in tcp://127.0.0.1:7000, not ${uri}`);
  }
  return { scheme: match[1]!.toLowerCase(), host: match[2]! };
}

/** What the option `listen` names. Throws `ERR_HEDDLE_INVALID_ARGUMENT`. */
export function givenPortals(listen: unknown = []): readonly string[] {
  const given = typeof listen === 'string' ? [listen] : listen;
  if (Array.isArray(given) && given.every((uri) => typeof uri === 'string')) return given;
  throw new HeddleError(
    'ERR_HEDDLE_INVALID_ARGUMENT',
    `listen must be a portal, as in tcp://127.0.0.1:7000, or a list of portals, not ${describe(listen)}`,
  );
}

/** Whether only programs of this machine (shm: of this process) reach a listener at that portal. */
export function isLocalOnly(uri: string): boolean {
  const { scheme, host } = partsOf(uri);
  return scheme === 'shm' || loopbackHosts.test(host);
}

/** Throws `ERR_HEDDLE_INVALID_ARGUMENT` for portals that others reach when there is no secret to prove. */
export function requireSecretBeyondLoopback(uris: readonly string[], hasSecret: boolean): void {
  const open = hasSecret ? undefined : uris.find((uri) => !isLocalOnly(uri));
  if (open === undefined) return;
  throw new HeddleError(
    'ERR_HEDDLE_INVALID_ARGUMENT',
    `listen=${open} can be reached by other machines: give the option secret, the same on all nodes, or listen on 127.0.0.1`,
    { details: { listen: open } },
  );
}

/** Where the contexts of a system listen: as given, and those after the last one at a free port of the first one's host. */
export function portalsFor(given: readonly string[], contexts: number): string[] {
  const { scheme, host } = partsOf(given[0]!);
  const further = (place: number) => (scheme === 'shm' ? `${given[0]}/${place}` : `${scheme}://${host}:0`);
  return Array.from({ length: contexts }, (_, place) => given[place] ?? further(place));
}
