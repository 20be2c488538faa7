import { isIP } from 'node:net';
import { HeddleError } from '../../errors.js';

/** Where a `tcp:` portal URI points to. */
export interface TcpAddress {
  /** The address to bind or to connect to: an IP address, a host name in lower case, or `*` for all interfaces. */
  readonly host: string;
  readonly port: number;
  /** The host as it was written: the name that a TLS certificate is checked against. */
  readonly name: string;
}

const rightForm = 'write tcp://host:port, as in tcp://localhost:7000, tcp://192.0.2.1:7000 or tcp://[::1]:7000';
const uriPattern = /^tcp:\/\/(\[[^\]]*\]|[^:/?#@[\]]*):(\d{1,5})(?:[/?#].*)?$/i;
const hostNamePattern = /^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*\.?$/;

/**
 * Takes a `tcp:` URI apart. `localhost` and an empty host mean the IPv4 loopback address; `*` means all interfaces.
 * A path behind the port names a service and does not matter here.
 * @throws HeddleError `ERR_HEDDLE_INVALID_URI`
 */
export function parseTcpUri(uri: string, use: 'listen' | 'connect'): TcpAddress {
  const match = uriPattern.exec(uri);
  if (match === null) throw invalidUri(uri, rightForm);
  const written = match[1]!.toLowerCase();
  const port = Number(match[2]);
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

/** The inverse of {@link parseTcpUri}. */
export function formatTcpUri(host: string, port: number): string {
  return `tcp://${formatHostPort(host, port)}`;
}

function invalidUri(uri: string, advice: string): HeddleError {
  return new HeddleError('ERR_HEDDLE_INVALID_URI', `${advice}; uri=${JSON.stringify(String(uri))}`, {
    details: { uri },
  });
}
