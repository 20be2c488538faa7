import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { HeddleError } from '../errors.js';

/** Where a portal URI with host and port points to: `tcp:` and `rdma:`. */
export interface HostAddress {
  /** The address to bind or to connect to: an IP address, a host name in lower case, or `*` for all interfaces. */
  readonly host: string;
  readonly port: number;
  /** The host as it was written: the name that a TLS certificate is checked against. */
  readonly name: string;
}

const uriPattern = /^([a-z]+):\/\/(\[[^\]]*\]|[^:/?#@[\]]*):(\d{1,5})(?:[/?#].*)?$/i;
const hostNamePattern = /^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*\.?$/;

/**
 * Takes a URI of `scheme` apart. `localhost` and an empty host mean the IPv4 loopback address; `*` means all interfaces.
 * A path behind the port names a service and does not matter here.
 * @throws HeddleError `ERR_HEDDLE_INVALID_URI`
 */
export function parseHostUri(scheme: string, uri: string, use: 'listen' | 'connect'): HostAddress {
  const rightForm =
    `write ${scheme}://host:port, as in ${scheme}://localhost:7000, ${scheme}://192.0.2.1:7000 or ` +
    `${scheme}://[::1]:7000`;
  const match = uriPattern.exec(uri);
  if (match === null || match[1]!.toLowerCase() !== scheme) throw invalidUri(uri, rightForm);
  const written = match[2]!.toLowerCase();
  const port = Number(match[3]);
  if (port > 65535) throw invalidUri(uri, `the port must be at most 65535: ${rightForm}`);
  if (use === 'connect' && port === 0) {
    throw invalidUri(uri, 'port 0 lets a listener choose; to connect, use the port in the uri of the portal');
  }
  if (use === 'connect' && written === '*') {
    throw invalidUri(uri, 'the host * is for listening on all interfaces; to connect, name a host');
  }
  if (written === '*') return { host: '*', port, name: '*' };
  if (written === '' || written === 'localhost') return { host: '127.0.0.1', port, name: written || '127.0.0.1' };
  if (written.startsWith('[')) {
    const address = written.slice(1, -1);
    if (isIP(address) !== 6) throw invalidUri(uri, `what stands in brackets must be an IPv6 address: ${rightForm}`);
    const zone = address.indexOf('%');
    const bare = zone < 0 ? address : address.slice(0, zone);
    // URL writes each IPv6 address in one way only, so that two spellings name the same link.
    const canonical = new URL(`http://[${bare}]`).hostname.slice(1, -1) + (zone < 0 ? '' : address.slice(zone));
    return { host: canonical, port, name: canonical };
  }
  if (isIP(written) === 4) return { host: written, port, name: written };
  if (written.length > 253 || !hostNamePattern.test(written) || /^[0-9.]+$/.test(written)) {
    throw invalidUri(uri, `the host is neither a name nor an IP address: ${rightForm}`);
  }
  const name = written.endsWith('.') ? written.slice(0, -1) : written;
  return { host: name, port, name };
}

/** `host:port`, IPv6 addresses in brackets. */
export function formatHostPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** The inverse of {@link parseHostUri}. */
export function formatHostUri(scheme: string, host: string, port: number): string {
  return `${scheme}://${formatHostPort(host, port)}`;
}

/** The host by which others reach a listener that is bound to `host`. */
export function reachableHost(host: string): string {
  if (host !== '*' && host !== '0.0.0.0' && host !== '::') return host;
  const external = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter((address) => !address.internal && !address.address.startsWith('fe80:'));
  const wanted = host === '::' ? 'IPv6' : 'IPv4';
  const found = external.find((address) => address.family === wanted) ?? (host === '*' ? external[0] : undefined);
  return found?.address ?? (host === '::' ? '::1' : '127.0.0.1');
}

/** Why a transport cannot listen at `address`, where the system said `cause`; `isInUse` when that is because another does. */
export function listenError(
  scheme: string,
  { host, port }: HostAddress,
  cause: Error,
  isInUse: boolean,
  facts: Readonly<Record<string, unknown>>,
): HeddleError {
  const uri = formatHostUri(scheme, host, port);
  const details = { uri, ...facts };
  if (isInUse) {
    const message = `another program or portal listens at ${uri}: choose another port, or 0 for any that is free`;
    return new HeddleError('ERR_HEDDLE_ADDRESS_IN_USE', message, { cause, details });
  }
  const message =
    `cannot listen at ${uri}: ${cause.message}; the host must be an address of this machine, ` +
    'and ports below 1024 may need rights';
  return new HeddleError('ERR_HEDDLE_INVALID_URI', message, { cause, details });
}

function invalidUri(uri: string, advice: string): HeddleError {
  return new HeddleError('ERR_HEDDLE_INVALID_URI', `${advice}; uri=${JSON.stringify(String(uri))}`, {
    details: { uri },
  });
}
