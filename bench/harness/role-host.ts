/** The entry point of every thread and process that a benchmark starts: becomes the role that it is told to be. */
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import type { Answer, Call, Handlers, RoleStart, Roles } from './role.js';

async function load(start: RoleStart): Promise<Handlers> {
  const module = (await import(start.module)) as { roles: Roles };
  const create = module.roles[start.role];
  if (create === undefined) throw new Error(`${start.module} has no role named ${start.role}`);
  return create(start.options);
}

async function answerCall(handlers: Promise<Handlers>, call: Call): Promise<Answer> {
  try {
    const loaded = await handlers;
    if (call.name === 'started') return { id: call.id };
    const handler = loaded[call.name];
    if (handler === undefined) throw new Error(`the role has no handler named ${call.name}`);
    return { id: call.id, result: await handler(call.argument) };
  } catch (error) {
    return { id: call.id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}

if (!isMainThread && parentPort !== null) {
  const port = parentPort;
  const handlers = load(workerData as RoleStart);
  port.on('message', (call: Call) => {
    answerCall(handlers, call).then((answer) => port.postMessage(answer));
  });
} else {
  // Whoever started this process is gone or has closed the channel to end it.
  process.once('disconnect', () => process.exit(0));
  process.once('message', (start: RoleStart) => {
    const handlers = load(start);
    process.on('message', (call: Call) => {
      answerCall(handlers, call).then((answer) => {
        if (process.connected) process.send?.(answer);
      });
    });
  });
}
