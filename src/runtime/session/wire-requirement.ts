import { HeddleError } from '../../errors.js';
import type { Link } from '../../transports/transport.js';

/** Why a session that requires an RDMA device cannot go by this link; undefined when it can. */
export function rdmaDeviceProblem(link: Link): HeddleError | undefined {
  const wire = link.wireDescription;
  if (wire?.usesRdmaDevice === true) return undefined;
  const transports = wire?.transports.join(',') ?? 'unknown';
  return new HeddleError(
    'ERR_HEDDLE_TRANSPORT_UNAVAILABLE',
    `the wire to ${link.peerAddress} uses no RDMA device, and requireRdmaDevice is set: transports=${transports} ` +
      `devices=${wire?.devices.join(',') ?? ''}; \`npx heddle doctor\` tells which devices this machine has, and UCX_TLS and ` +
      'UCX_NET_DEVICES in the environment choose among them',
    { details: { peerAddress: link.peerAddress, transports: wire?.transports, devices: wire?.devices } },
  );
}
