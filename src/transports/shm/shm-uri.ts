import { HeddleError } from '../../errors.js';

const scheme = 'shm://';
/** Longest name of a portal, in bytes; names are ASCII. */
export const maximumPortalNameBytes = 255;
const namePattern = /^[A-Za-z0-9._/-]+$/;

/** The portal name in `shm://name`. Throws `ERR_HEDDLE_INVALID_URI`. */
export function parseShmUri(uri: string): string {
  const name = typeof uri === 'string' && uri.startsWith(scheme) ? uri.slice(scheme.length) : '';
  if (!namePattern.test(name) || name.length > maximumPortalNameBytes) {
    throw new HeddleError(
      'ERR_HEDDLE_INVALID_URI',
      `uri=${String(uri)} is not of the form shm://name, with a name of 1 to ${maximumPortalNameBytes} letters, digits ` +
        'and . _ - /',
      { details: { uri } },
    );
  }
  return name;
}

/** The inverse of {@link parseShmUri}. */
export function formatShmUri(name: string): string {
  return scheme + name;
}
