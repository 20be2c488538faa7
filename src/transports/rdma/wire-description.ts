import type { WireDescription } from '../transport.js';

/** A lane as in `lane[1]:  2:rc_verbs/rxe0:1.0 md[1]   -> md[1]/ib/sysdev[255] rma_bw#0 am am_bw#0`. */
const lanePattern = /lane\[\d+\]:\s+\d+:([a-z0-9_]+)\/(\S+?)(?:\.\d+)?\s+md\[\d+\](.*)$/gm;
const rdmaTransport = /^(rc|dc|ud)(_|$)/;
/** Those of them that read and write memory: with datagrams UCX does it in software. */
const memoryTransport = /^(rc|dc)(_|$)/;

/** Reads what UCX prints about an endpoint. */
export function parseWireDescription(text: string): WireDescription {
  const transports = new Set<string>();
  const devices = new Set<string>();
  const lanes = [...text.matchAll(lanePattern)];
  // The lane of the active messages first: it is what a session goes by.
  const carriesMessages = (lane: RegExpMatchArray) => /\sam(\s|$)/.test(lane[3]!);
  const messageLanes = lanes.filter(carriesMessages);
  for (const [, transport, device] of [...messageLanes, ...lanes]) {
    transports.add(transport!);
    devices.add(device!);
  }
  const usesRdmaDevice = messageLanes.length > 0 && messageLanes.every((lane) => rdmaTransport.test(lane[1]!));
  return { transports: [...transports], devices: [...devices], usesRdmaDevice };
}

/** Whether the wire's device reads and writes the peer's memory by itself. */
export function reachesMemory({ usesRdmaDevice, transports: [transport = ''] }: WireDescription): boolean {
  return usesRdmaDevice && memoryTransport.test(transport);
}
