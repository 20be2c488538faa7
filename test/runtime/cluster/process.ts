import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';

/** A system in a process of its own. */
export interface ServiceProcess {
  readonly uri: string;
  readonly child: ChildProcess;
  /** Ends it as nothing can be answered to. */
  kill(): Promise<void>;
}

/** Starts one that listens at `listen`, and ends with the test at the latest. */
export async function startService(t: ExecutionContext, listen?: string, contexts = 1): Promise<ServiceProcess> {
  const file = fileURLToPath(new URL('./fixtures/service.js', import.meta.url));
  const child = spawn(process.execPath, [file, listen ?? 'tcp://127.0.0.1:0', String(contexts)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const kill = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  };
  t.teardown(kill);
  const uri = await new Promise<string>((resolve, reject) => {
    let text = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      text += chunk;
      if (text.includes('\n')) resolve(text.trim());
    });
    child.once('exit', (code, signal) => reject(new Error(`the service ended: code=${code} signal=${signal}`)));
  });
  return { uri, child, kill };
}
