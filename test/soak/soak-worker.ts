import type { Connection, Context, Message, Server } from '../../src/index.js';
import { Random } from '../sim/random.js';
import { Conversation, checkPosition, type Stream } from './soak-conversation.js';
import { makePayload, readMessage, Task } from './soak-message.js';
import { isAtRest, type SoakCommand, type SoakCounts, type SoakRest, type SoakWorkerData } from './soak-plan.js';

/** A worker of the soak: a service for the others, and a client of them. Returns where it can be reached. */
export default async function main(
  context: Context,
  data: SoakWorkerData,
): Promise<{ control: string; service: string }> {
  const worker = new SoakWorker(context, data);
  return worker.listen();
}

/** What is on its way when a context is asked to finish has come within this time, however busy the machine is. */
const settleTimeoutMs = 10_000;

class SoakWorker {
  readonly #context: Context;
  readonly #data: SoakWorkerData;
  readonly #random: Random;
  readonly #serviceRandom: Random;
  #server: Server | undefined;
  readonly #counts: SoakCounts = {
    messages: 0,
    bytes: 0,
    connections: 0,
    closed: 0,
    destroyed: 0,
    endedByPeer: 0,
    requests: 0,
    oneWays: 0,
    receipts: 0,
    large: 0,
    problems: [],
  };
  /** What this side of each connection has seen and sent, on the service's side. */
  readonly #streams = new Map<Connection, Stream>();

  constructor(context: Context, data: SoakWorkerData) {
    this.#context = context;
    this.#data = data;
    this.#random = new Random(data.plan.seed * 1000 + data.number);
    this.#serviceRandom = new Random(data.plan.seed * 1000 + 500 + data.number);
    context.on('report', (error) => this.#problem(`reported: ${error.stack}`));
    context.on('leak', (leak) =>
      this.#problem(`leaked ${leak.lengthBytes} bytes, found ${leak.found} ${leak.stack ?? ''}`),
    );
  }

  async listen(): Promise<{ control: string; service: string }> {
    const { plan, number } = this.#data;
    // Where there is an RDMA device, an address of it.
    const host = (plan.transport === 'rdma' ? process.env.HEDDLE_TEST_RDMA_HOST : undefined) ?? '127.0.0.1';
    const control = await this.#context.listen(
      plan.hasSecondProcess ? 'tcp://127.0.0.1:0' : `shm://soak-control-${number}`,
      {
        onRequest: (message) => this.#onCommand(message.value as SoakCommand),
      },
    );
    this.#server = await this.#context.listen(
      plan.transport === 'shm' ? `shm://soak-${number}` : `${plan.transport}://${host}:0`,
      {
        onRequest: (message, connection) => this.#onRequest(message, connection),
        onMessage: (message, connection) => {
          this.#receive(message, connection);
        },
        onEvent: (event) => {
          if (event.type === 'connection-error') this.#problem(`the service's end failed: ${event.error.message}`);
          if (event.type === 'connection-teardown') this.#streams.delete(event.connection);
        },
      },
    );
    return { control: control.uri, service: this.#server.uri };
  }

  #problem(what: string): void {
    // The first ones tell what there is to tell.
    if (this.#counts.problems.length < 20) this.#counts.problems.push(`context ${this.#data.number}: ${what}`);
  }

  async #onCommand(command: SoakCommand): Promise<SoakCounts | SoakRest> {
    if ('run' in command) await this.#run(command.run);
    else if ('finish' in command) return this.#finish();
    return this.#counts;
  }

  /** Talks to the others until the time is over: some connections at a time, each with a life of its own. */
  async #run(services: readonly string[]): Promise<void> {
    const { plan } = this.#data;
    const endMs = performance.now() + plan.seconds * 1000;
    const lanes = Array.from({ length: this.#random.integer(1, 3) }, async (_, lane) => {
      const random = new Random(this.#random.integer(0, 2 ** 30) + lane);
      while (performance.now() < endMs && this.#counts.problems.length === 0) {
        const conversation = new Conversation(this.#context, random, this.#counts, (what) => this.#problem(what));
        await conversation.run(random.pick(services), endMs);
      }
    });
    await Promise.all(lanes);
  }

  /**
   * What is left once all is quiet. Whoever destroys a connection waits neither for the records that are still on their
   * way here nor for the answers that this service gives a little later.
   */
  async #finish(): Promise<SoakRest> {
    await this.#server?.close();
    const endMs = performance.now() + settleTimeoutMs;
    while (!isAtRest(this.#rest()) && performance.now() < endMs) await new Promise((resolve) => setTimeout(resolve, 1));
    return this.#rest();
  }

  #rest(): SoakRest {
    const { memory } = this.#context;
    return {
      connections: this.#context.connectionCount,
      sessions: this.#server?.sessions.length ?? 0,
      buffersHeld: memory.buffersHeld,
      buffersLeaked: memory.buffersLeaked,
      outstanding: this.#context.hasOutstandingWork(),
      slabBytes: memory.slabBytes,
    };
  }

  // ---- the service

  #streamOf(connection: Connection): Stream {
    let stream = this.#streams.get(connection);
    if (stream === undefined) {
      stream = { received: 0, sent: 0 };
      this.#streams.set(connection, stream);
    }
    return stream;
  }

  #receive(message: Message, connection: Connection): number {
    const stream = this.#streamOf(connection);
    try {
      const head = readMessage(message);
      checkPosition(stream, head);
      if (head.task === Task.sendBack) this.#sendBack(connection, stream);
      return head.task;
    } catch (error) {
      this.#problem(`at the service: ${String(error)}`);
      return Task.nothing;
    }
  }

  #onRequest(message: Message, connection: Connection): unknown {
    const task = this.#receive(message, connection);
    const { received, sent } = this.#streamOf(connection);
    switch (task) {
      case Task.echoLater: {
        message.keep();
        const answer = () => {
          if (!message.isAnswered) message.respond(this.#answer(message));
        };
        if (this.#serviceRandom.chance(0.1)) setTimeout(answer, this.#serviceRandom.integer(0, 5));
        else setImmediate(answer);
        return undefined;
      }
      case Task.count:
        return { received, sent };
      case Task.fail:
        throw new Error('as asked');
      default:
        return this.#answer(message);
    }
  }

  /** The position and checksum of the request, in a payload of any size and form. */
  #answer(message: Message): unknown {
    const { position } = readMessage(message);
    const sizeBytes = this.#serviceRandom.chance(0.02)
      ? this.#serviceRandom.integer(0, 400_000)
      : this.#serviceRandom.integer(0, 500);
    return makePayload(this.#context, this.#serviceRandom, Task.echo, position, sizeBytes).payload;
  }

  #sendBack(connection: Connection, stream: Stream): void {
    // A client that reads slowly is not sent more: what is counted is what was sent.
    if (!connection.isOnline || connection.queuedMessages > 200) return;
    const sizeBytes = this.#serviceRandom.integer(0, 300);
    const { payload } = makePayload(this.#context, this.#serviceRandom, Task.nothing, stream.sent, sizeBytes);
    connection.send(payload);
    stream.sent++;
    // Now and then it is the service that ends the connection.
    if (this.#serviceRandom.chance(0.0005)) setImmediate(() => connection.destroy());
  }
}
