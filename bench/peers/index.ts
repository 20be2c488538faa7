/** The JavaScript peers by the names that the table gives them. The others are in erlang.ts and caf.ts. */
import type { Side } from '../harness/benchmark.js';
import { processSide } from '../harness/process-side.js';
import { npmPackage } from '../harness/requirement.js';

const url = (file: string): URL => new URL(file, import.meta.url);

/** One-way Uint8Arrays from worker to worker; 0 bytes for an 8-field object. */
export function postMessageFlood(name: string, bytes: number): Side {
  return processSide({ name, module: url('./post-message-flood.js'), options: { bytes } });
}

/** Round trips of a Uint8Array between two workers. */
export function postMessageEcho(name: string, bytes: number, pauseMs = 0): Side {
  return processSide({ name, module: url('./post-message-echo.js'), options: { bytes, pauseMs } });
}

export function messagePortsAllPairs(name: string, result: 'throughput' | 'p99'): Side {
  return processSide({ name, module: url('./message-ports-all-pairs.js'), options: { result } });
}

export function idleWorkers(name: string): Side {
  return processSide({ name, module: url('./idle-workers.js') });
}

export function zeromqPushPull(bytes: number): Side {
  const needs = [npmPackage('zeromq')];
  return processSide({ name: 'zeromq.js push/pull', module: url('./zeromq-push-pull.js'), options: { bytes }, needs });
}

export function zeromqRequestReply(bytes: number): Side {
  const needs = [npmPackage('zeromq')];
  const module = url('./zeromq-request-reply.js');
  return processSide({ name: 'zeromq.js request/reply', module, options: { bytes }, needs });
}

export function netEcho(bytes: number): Side {
  return processSide({ name: 'raw net echo', module: url('./net-echo.js'), options: { bytes } });
}

export function grpcUnary(bytes: number): Side {
  const needs = [npmPackage('@grpc/grpc-js')];
  return processSide({ name: 'grpc-js unary', module: url('./grpc-unary.js'), options: { bytes }, needs });
}

export function nact(workload: 'ping-pong' | 'create'): Side {
  return processSide({ name: 'nact', module: url('./nact.js'), options: { workload }, needs: [npmPackage('nact')] });
}

export function comlinkCall(): Side {
  return processSide({ name: 'comlink call', module: url('./comlink-call.js'), needs: [npmPackage('comlink')] });
}

export function piscinaRun(): Side {
  return processSide({ name: 'piscina run', module: url('./piscina-run.js'), needs: [npmPackage('piscina')] });
}
