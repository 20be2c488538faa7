import { createNode, type HeddleNode } from 'heddle';
import { defaultRdma, type ServerConfig } from './config.js';
import { Front } from './front.js';
import { modules } from './modules.js';
import type workerMain from './worker.js';

/** How a server is made. */
export interface HttpdOptions {
  readonly folder: string;
  readonly host?: string;
  /** 0 picks one: see `port`. */
  readonly port?: number;
  /** Worker contexts, each on a thread of its own. */
  readonly workers?: number;
  readonly rdma?: Partial<ServerConfig['rdma']>;
  /** The node to run on; one of the server's own when none is given. */
  readonly node?: HeddleNode;
}

let servers = 0;
/** A worker that is lost is replaced, this often. */
const maximumReplacements = 100;

/** A running server. */
export class Httpd implements AsyncDisposable {
  readonly node: HeddleNode;
  readonly #front: Front;
  readonly #config: Omit<ServerConfig, 'workerUri'>;
  readonly #ownsNode: boolean;
  readonly #name = `httpd-${++servers}`;
  readonly #workers = new Set<{ stop(): Promise<unknown>; terminate(): Promise<unknown> }>();
  readonly #replacements = new Set<Promise<void>>();
  #started = 0;
  #closing: Promise<void> | undefined;

  private constructor(options: HttpdOptions) {
    this.node = options.node ?? createNode();
    this.#ownsNode = options.node === undefined;
    this.#config = { folder: options.folder, rdma: { ...defaultRdma, ...options.rdma } };
    this.#front = new Front(this.node.context);
  }

  /** Runs the hooks of the start, starts the workers, and listens. */
  static async start(options: HttpdOptions): Promise<Httpd> {
    const { host = '127.0.0.1', port = 0, workers = 2 } = options;
    const httpd = new Httpd(options);
    try {
      await modules.postConfig({ ...httpd.#config, workerUri: '' });
      for (let worker = 0; worker < workers; worker++) await httpd.#startWorker();
      await httpd.#front.listen(port, host);
    } catch (error) {
      await httpd.close({ timeoutMs: 0 });
      throw error;
    }
    return httpd;
  }

  get port(): number {
    return this.#front.port;
  }

  /** The worker contexts that run now. */
  get workers(): readonly { terminate(): Promise<unknown> }[] {
    return [...this.#workers];
  }

  /** Stops taking connections, lets answers that are under way end for so long, and stops the workers. */
  close({ timeoutMs = 2000 } = {}): Promise<void> {
    this.#closing ??= this.#close(timeoutMs);
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(timeoutMs: number): Promise<void> {
    await this.#front.close(timeoutMs);
    await Promise.all(this.#replacements);
    await Promise.all([...this.#workers].map((worker) => worker.stop()));
    if (this.#ownsNode) await this.node.close();
  }

  async #startWorker(): Promise<void> {
    const name = `${this.#name}-worker-${++this.#started}`;
    const workerUri = `shm://${name}`;
    const handle = await this.node.startContext<typeof workerMain>(new URL('./worker.js', import.meta.url), {
      name,
      data: { ...this.#config, workerUri },
    });
    this.#workers.add(handle);
    const { ended } = await this.#front.addWorker(workerUri);
    void ended.then(() => this.#onWorkerGone(handle));
  }

  #onWorkerGone(handle: { stop(): Promise<unknown>; terminate(): Promise<unknown> }): void {
    this.#workers.delete(handle);
    if (this.#closing !== undefined || this.#started > maximumReplacements) return;
    const replacement = this.#startWorker()
      .catch((error: unknown) => {
        process.emitWarning(`a worker could not be replaced: ${String(error)}`, 'RdmaHttpdWarning');
      })
      .finally(() => this.#replacements.delete(replacement));
    this.#replacements.add(replacement);
  }
}
