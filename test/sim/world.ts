import { HeddleError } from '../../src/errors.js';
import type { Message } from '../../src/runtime/message/message.js';
import { MessageFlag } from '../../src/runtime/message/message-layout.js';
import type { Receipt, RequestOptions } from '../../src/runtime/message/payload.js';
import { readStatistics } from '../../src/runtime/observe/statistics.js';
import type { ClientSession } from '../../src/runtime/session/client-session.js';
import type { Connection } from '../../src/runtime/session/connection.js';
import type { ConnectionState } from '../../src/runtime/session/connection-machine.js';
import type { SessionEvent } from '../../src/runtime/session/events.js';
import type { ListenOptions, Server } from '../../src/runtime/session/server.js';
import type { Session } from '../../src/runtime/session/session.js';
import { Endpoint } from './endpoint.js';
import { Random } from './random.js';
import type { Action, Scenario } from './scenario.js';
import { handlerModes, makeBytes, makePayload, readBytes, type SentMessage } from './sent-message.js';
import { Simulation } from './simulated-clock.js';
import { SimulatedContext } from './simulated-context.js';
import { SimulatedNetwork } from './simulated-network.js';

/** Long enough for all timeouts of a scenario, one after the other. */
const restMicros = 30_000_000;

/** Errors that a send may meet; any other is a bug. */
const sendErrors = new Set([
  'ERR_HEDDLE_SEND_QUEUE_FULL',
  'ERR_HEDDLE_MESSAGE_TOO_LARGE',
  'ERR_HEDDLE_CLOSED',
  'ERR_HEDDLE_DISCONNECTED',
]);

/** Runs a scenario and checks at each step, and when all has come to rest, what must hold. */
export class World {
  readonly scenario: Scenario;
  readonly simulation = new Simulation();
  readonly network: SimulatedNetwork;
  readonly contexts: SimulatedContext[] = [];
  readonly #random: Random;
  readonly #servers = new Map<string, { context: SimulatedContext; server: Server; handlers: ListenOptions }>();
  readonly #sessions: { session: ClientSession; context: SimulatedContext }[] = [];
  readonly #endpoints: Endpoint[] = [];
  readonly #endpointOf = new Map<Connection, Endpoint>();
  readonly #messages: SentMessage[] = [];
  readonly #requestIds: { endpoint: Endpoint; requestId: number }[] = [];
  readonly #sessionEvents = new Map<Session, string[]>();
  readonly #promises: { name: string; context: SimulatedContext; isSettled: boolean }[] = [];
  /** Connections that one of their ends has begun to close. */
  readonly #closed = new Set<string>();
  readonly #failures: string[] = [];
  /** What happened, for the report of a failure. */
  readonly log: string[] = [];

  constructor(scenario: Scenario) {
    this.scenario = scenario;
    this.#random = new Random(scenario.seed ^ 0x5eed);
    this.network = new SimulatedNetwork(this.simulation, new Random(~scenario.seed), scenario.conditions);
    for (let id = 1; id <= scenario.servers + scenario.clients; id++) {
      this.contexts.push(new SimulatedContext(id, this.network, scenario.options));
    }
    this.simulation.afterEvent = () => {
      for (const endpoint of this.#endpoints) if (!endpoint.context.isCrashed) endpoint.checkState();
      if (this.#failures.length > 0) throw new Error(this.#failures[0]);
    };
  }

  /** Runs it all. Rejects with what did not hold. */
  async run(): Promise<void> {
    for (const context of this.#serverContexts) this.#listenOn(context);
    for (const action of this.scenario.actions) {
      this.simulation.schedule(action.atMicros, () => {
        this.#note(`${action.operation}`);
        this.#act(action);
      });
    }
    await this.simulation.run(310_000);
    this.network.misbehaves = false;
    // A third of all runs is closed in the middle of it all.
    if (this.scenario.seed % 3 > 0) {
      await this.simulation.run(400_000 + restMicros);
      this.#checkAtRest();
    }
    this.#note('close all');
    for (const endpoint of this.#endpoints) this.#closed.add(endpoint.key);
    for (const context of this.#living) {
      const closed = context.layer.close().then(() => {
        const delays = context.clock.foregroundDelays;
        if (delays.length > 0)
          this.#fail(`closed, context ${context.id} has timers that hold the process: ${delays} ms`);
      });
      this.#track('layer.close()', context, closed);
    }
    await this.simulation.run(400_000 + 2 * restMicros);
    await this.simulation.run(Number.POSITIVE_INFINITY, 5000);
    this.#checkAtEnd();
    for (const context of this.#living) context.recycle();
    if (this.#failures.length > 0) throw new Error(this.#failures[0]);
  }

  get #serverContexts(): SimulatedContext[] {
    return this.contexts.slice(0, this.scenario.servers);
  }

  get #living(): SimulatedContext[] {
    return this.contexts.filter((context) => !context.isCrashed);
  }

  #note(what: string): void {
    this.log.push(`${(this.simulation.nowMicros / 1000).toFixed(3)} ${what}`);
  }

  readonly #fail = (what: string): void => {
    this.#failures.push(`${what} at ${this.simulation.nowMicros / 1000} ms`);
  };

  #track(name: string, context: SimulatedContext, promise: Promise<unknown>): void {
    const entry = { name, context, isSettled: false };
    this.#promises.push(entry);
    const settle = () => {
      entry.isSettled = true;
    };
    promise.then(settle, (error: unknown) => {
      settle();
      if (!(error instanceof HeddleError)) this.#fail(`${name} rejected with ${String(error)}`);
    });
  }

  // ---- services

  #listenOn(context: SimulatedContext): void {
    const { id } = context;
    const all = this.#serverContexts.map((one) => `sim://plain-${one.id}`);
    const services: Record<string, ListenOptions['onSession']> = {
      plain: undefined,
      portals: (request) => request.accept({ portals: all }),
      redirect: (request) => request.redirect('sim://nowhere', `sim://plain-${id}`),
      circle: (request) => request.redirect(`sim://circle-${id}`),
      reject: (request) => request.reject('no', Buffer.from('thing')),
      slow: (request) =>
        new Promise<void>((resolve) => {
          const decide = () => {
            if (!request.isDecided) request.accept();
            resolve();
          };
          context.clock.setTimer(40, decide, true);
        }),
      throwing: () => {
        throw new Error('cannot decide');
      },
    };
    for (const [name, onSession] of Object.entries(services)) this.#listen(context, `sim://${name}-${id}`, onSession);
  }

  #listen(context: SimulatedContext, uri: string, onSession: ListenOptions['onSession']): void {
    const handlers: ListenOptions = { ...this.#handlersOf(context), onSession };
    const listening = context.layer.listen(uri, handlers).then((server) => {
      this.#servers.set(uri, { context, server, handlers });
    });
    this.#track(`listen ${uri}`, context, listening);
  }

  #handlersOf(context: SimulatedContext): ListenOptions {
    return {
      onEvent: (event) => this.#onEvent(context, event),
      onMessage: (message, connection) => this.#onMessage(context, message, connection),
      onRequest: (message, connection) => this.#onMessage(context, message, connection),
      onCancel: (message) => message.reference % 2 === 0,
    };
  }

  #endpointFor(context: SimulatedContext, connection: Connection): Endpoint {
    let endpoint = this.#endpointOf.get(connection);
    if (endpoint === undefined) {
      const side = connection.session.role;
      endpoint = new Endpoint(this.#endpoints.length, context, connection, side, this.#fail);
      this.#endpoints.push(endpoint);
      this.#endpointOf.set(connection, endpoint);
      this.#track(`${endpoint} ended`, context, connection.ended);
      this.#track(`${endpoint} online`, context, connection.online);
      this.#track(`${endpoint} session ended`, context, connection.session.ended);
    }
    return endpoint;
  }

  #onEvent(context: SimulatedContext, event: SessionEvent): void {
    if (context.isCrashed) this.#fail('a crashed context works on');
    if ('connection' in event) {
      const endpoint = this.#endpointFor(context, event.connection);
      this.#note(`${endpoint}: ${event.type} ${'error' in event ? (event.error?.message ?? '') : ''}`);
      const wasEstablished = endpoint.events.includes('connection-established');
      endpoint.onEvent(event);
      // The service may have thought otherwise, when its answer was cut off.
      if (event.type === 'connection-disconnected' && !wasEstablished) this.#closed.add(endpoint.key);
      const isFault = event.type === 'connection-error' || (event.type === 'connection-disconnected' && wasEstablished);
      // Cuts are lived through, and nothing goes wrong but that who closed is not there any more for who comes back.
      const explained = event.type === 'connection-disconnected' && this.#closed.has(endpoint.key);
      if (isFault && !explained && ['calm', 'cuts'].includes(this.scenario.profile)) {
        this.#fail(`${endpoint} was lost: ${event.error.stack}`);
      }
      if (event.type === 'message-error' && event.direction === 'out' && event.kind === 'one-way') {
        this.#messageOf(event.context).failed = true;
      }
      return;
    }
    const { session } = event;
    this.#note(`session ${session.id.slice(0, 6)} ${session.role}: ${event.type}`);
    const events = this.#sessionEvents.get(session) ?? [];
    this.#sessionEvents.set(session, events);
    if (events.includes(event.type) && event.type !== 'session-redirected') this.#fail(`${event.type} came twice`);
    if (events.includes('session-teardown')) this.#fail(`${event.type} after session-teardown`);
    if (event.type === 'session-teardown' && session.connections.length > 0) {
      this.#fail('session-teardown before the teardown of its last connection');
    }
    const decisions = ['session-established', 'session-rejected', 'session-refused'];
    if (decisions.includes(event.type) && decisions.some((one) => events.includes(one))) {
      this.#fail(`${event.type} after ${events.join(', ')}`);
    }
    events.push(event.type);
  }

  #messageOf(number: unknown): SentMessage {
    return this.#messages[number as number] as SentMessage;
  }

  // ---- receiving

  #onMessage(context: SimulatedContext, message: Message, connection: Connection): unknown {
    const endpoint = this.#endpointFor(context, connection);
    if (context.isCrashed) this.#fail('a crashed context receives');
    const { number, mode } = this.#read(message);
    const sent = this.#messages[number];
    if (sent === undefined) return undefined;
    this.#note(`${endpoint}: got ${sent.kind} ${number} ${handlerModes[mode]}`);
    if (sent.sender.key !== endpoint.key || sent.sender.side === endpoint.side) {
      this.#fail(`message ${number} reached another connection`);
    }
    if (sent.kind !== message.kind) this.#fail(`${sent.kind} ${number} arrived as ${message.kind}`);
    if (++sent.delivered > 1) this.#fail(`${sent.kind} ${number} was delivered twice`);
    if (sent.position <= endpoint.lastPostSeen) {
      this.#fail(`${sent.kind} ${number} with position ${sent.position} came after ${endpoint.lastPostSeen}`);
    }
    endpoint.lastPostSeen = sent.position;
    if (endpoint.hasEnded) this.#fail(`${sent.kind} ${number} was delivered after the end of ${endpoint}`);
    if (message.kind === 'one-way') return this.#handleOneWay(context, message, mode);
    return this.#handleRequest(endpoint, message, mode);
  }

  #read(message: Message): { number: number; position: number; mode: number } {
    try {
      return readBytes(message);
    } catch (error) {
      this.#fail(`a message does not read: ${String(error)}`);
      return { number: -1, position: 0, mode: 0 };
    }
  }

  #later(context: SimulatedContext, work: () => void): void {
    context.clock.setTimer(this.#random.integer(0, 60), work, true);
  }

  #handleOneWay(context: SimulatedContext, message: Message, mode: number): unknown {
    switch (handlerModes[mode]) {
      case 'byPromise':
        return new Promise<void>((resolve) => this.#later(context, resolve));
      case 'keepAndAnswer':
        message.keep();
        this.#later(context, () => message.release());
        return undefined;
      case 'throw':
        throw new Error('a handler throws');
      case 'reject':
        return Promise.reject(new Error('a handler rejects'));
      case 'twice':
        message.refuseReceipt();
        return undefined;
      default:
        return undefined;
    }
  }

  #handleRequest(endpoint: Endpoint, message: Message, mode: number): unknown {
    const { context } = endpoint;
    const answer = () => {
      const bytes = makeBytes(message.reference, endpoint.nextAnswer++, 0, this.#size());
      return makePayload(bytes, endpoint, this.#random);
    };
    switch (handlerModes[mode]) {
      case 'byPromise':
        return new Promise((resolve) => this.#later(context, () => resolve(answer())));
      case 'keepAndAnswer':
        message.keep();
        this.#later(context, () => {
          if (!message.isAnswered) this.#respond(message, answer());
        });
        return undefined;
      case 'throw':
        throw new Error('a handler throws');
      case 'reject':
        return Promise.reject(new Error('a handler rejects'));
      case 'neverAnswer':
        message.keep();
        this.#later(context, () => message.release());
        return undefined;
      case 'unsendable':
        return () => 'functions cannot be sent';
      case 'twice':
        if (!this.#respond(message, answer())) return undefined;
        try {
          message.respond('again');
          this.#fail('a second answer was taken');
        } catch (error) {
          if ((error as HeddleError).code !== 'ERR_HEDDLE_ALREADY_ANSWERED') this.#fail(`answering twice: ${error}`);
        }
        return undefined;
      case 'inHandler':
        this.#respond(message, answer());
        return undefined;
      case 'endConnection':
        // Rare, or nothing would be left to look at.
        if (!this.#random.chance(0.1)) return 'not yet';
        this.#closed.add(endpoint.key);
        this.#track('close in handler', context, endpoint.connection.close());
        return 'the end';
      default:
        return answer();
    }
  }

  /** A user's answer: what is too long for the peer is a user's error. */
  #respond(message: Message, payload: unknown): boolean {
    try {
      message.respond(payload);
      return true;
    } catch (error) {
      if ((error as HeddleError).code !== 'ERR_HEDDLE_MESSAGE_TOO_LARGE') this.#fail(`respond threw ${error}`);
      this.#dropPayload(payload);
      message.respondError(error);
      return false;
    }
  }

  // ---- acting

  #size(): number {
    return this.#random.pick([12, 12, 40, 90, 290, 900, 5000, 30_000]);
  }

  #act(action: Action): void {
    const { a, b, c } = action;
    const endpoints = this.#endpoints.filter((one) => !one.context.isCrashed && !one.isOver);
    const endpoint = endpoints[a % Math.max(1, endpoints.length)];
    switch (action.operation) {
      case 'connect':
        this.#connect(a, b);
        return;
      case 'join':
        this.#join(a, b);
        return;
      case 'cut': {
        const wires = [...this.network.wires].filter((wire) => !wire.isDead);
        wires[a % Math.max(1, wires.length)]?.cut();
        return;
      }
      case 'crash': {
        const context = this.contexts[a % this.contexts.length] as SimulatedContext;
        if (context.isCrashed) return;
        this.#note(`context ${context.id} crashes`);
        context.clock.stop();
        this.network.crash(context, b % 2 === 0);
        return;
      }
      case 'restart': {
        const entries = [...this.#servers.entries()].filter(([, one]) => !one.context.isCrashed);
        const entry = entries[a % Math.max(1, entries.length)];
        if (entry === undefined) return;
        const [uri, { context, server, handlers }] = entry;
        this.#servers.delete(uri);
        const restarted = server.close().then(() => this.#listen(context, uri, handlers.onSession));
        this.#track(`restart ${uri}`, context, restarted);
        return;
      }
    }
    if (endpoint === undefined) return;
    const { connection, context } = endpoint;
    switch (action.operation) {
      case 'send':
        this.#send(endpoint, b, c % 4 === 0, c % 3 === 0);
        break;
      case 'burst':
        for (let count = b % 20; count > 0; count--) this.#send(endpoint, b + count, count > 1, false);
        break;
      case 'batch':
        // Small ones, which share records, with one now and then that does not fit among them.
        for (let count = 1 + (b % 90); count > 0; count--) {
          const size = this.#random.chance(0.05) ? this.#size() : this.#random.integer(12, 60);
          this.#send(endpoint, b + count, count > 1, false, size);
        }
        break;
      case 'deliver':
        this.#deliver(endpoint, b);
        break;
      case 'request':
        this.#request(endpoint, b, c);
        break;
      case 'cancel': {
        const requests = this.#requestIds.filter((one) => !one.endpoint.context.isCrashed);
        const request = requests[b % Math.max(1, requests.length)];
        if (request === undefined) break;
        this.#note(`${request.endpoint} cancels ${request.requestId}`);
        for (let times = 1 + (c % 2); times > 0; times--) {
          this.#track('cancel', request.endpoint.context, request.endpoint.connection.cancel(request.requestId));
        }
        break;
      }
      case 'ready':
        this.#track(`${endpoint} ready`, context, connection.ready());
        break;
      case 'close':
        this.#note(`${endpoint} closes`);
        this.#closed.add(endpoint.key);
        this.#track(`${endpoint} close`, context, connection.close());
        break;
      case 'closeSession':
        this.#note(`${endpoint} closes its session`);
        for (const one of connection.session.connections) this.#closed.add(this.#endpointFor(context, one).key);
        this.#track(`${endpoint} session close`, context, connection.session.close());
        break;
      case 'destroy':
        this.#note(`${endpoint} is destroyed`);
        connection.destroy();
        break;
      case 'setOptions':
        connection.setOptions({ inlineLimitBytes: b % 3000, sendQueueDepthMessages: 1 + (c % 100) });
        break;
      case 'suspend':
        this.#note(`${endpoint} suspends its reception`);
        connection.suspendReception();
        endpoint.context.clock.setTimer(b % 40, () => connection.resumeReception(), true);
        break;
    }
  }

  #connect(a: number, b: number): void {
    const clients = this.contexts.slice(b % 5 === 0 ? 0 : this.scenario.servers).filter((one) => !one.isCrashed);
    const context = clients[a % Math.max(1, clients.length)];
    const server = this.#serverContexts[b % this.scenario.servers] as SimulatedContext;
    if (context === undefined) return;
    const kinds = ['plain', 'plain', 'plain', 'portals', 'redirect', 'reject', 'slow', 'nowhere', 'circle', 'throwing'];
    const uri = `sim://${kinds[(a >> 4) % kinds.length]}-${server.id}`;
    this.#note(`context ${context.id} connects to ${uri}`);
    const session = context.layer.connect(uri, this.#handlersOf(context));
    this.#endpointFor(context, session.connection);
    this.#sessions.push({ session, context });
  }

  #join(a: number, b: number): void {
    const first = this.#sessions[a % Math.max(1, this.#sessions.length)];
    const context = this.#living[b % Math.max(1, this.#living.length)];
    if (first === undefined || context === undefined || first.context.isCrashed) return;
    const ticket = first.session.ticket();
    if (context.layer.clientSession(ticket.sessionId) !== undefined) {
      try {
        context.layer.join(ticket, this.#handlersOf(context));
        this.#fail('a context joined a session twice');
      } catch (error) {
        if ((error as HeddleError).code !== 'ERR_HEDDLE_CONNECTION_EXISTS') this.#fail(`join threw ${error}`);
      }
      return;
    }
    const session = context.layer.join(ticket, this.#handlersOf(context));
    this.#endpointFor(context, session.connection);
  }

  #record(sender: Endpoint, kind: 'one-way' | 'request', draw: number, size = this.#size()): SentMessage {
    const message: SentMessage = {
      number: this.#messages.length,
      sender,
      kind,
      position: sender.nextPost++,
      mode: draw % handlerModes.length,
      size,
      delivered: 0,
      settled: 0,
      receipts: 0,
      wantsReceipt: false,
      failed: false,
    };
    this.#messages.push(message);
    return message;
  }

  #payload(message: SentMessage): unknown {
    const bytes = makeBytes(message.number, message.position, message.mode, message.size);
    return makePayload(bytes, message.sender, this.#random);
  }

  #receiptOf(message: SentMessage): (receipt: Receipt) => void {
    message.wantsReceipt = true;
    return () => {
      if (++message.receipts > 1) this.#fail(`message ${message.number} had two receipts`);
    };
  }

  /** A send that throws must have sent nothing. */
  #refused(message: SentMessage, error: unknown): void {
    this.#note(`${message.sender}: ${message.kind} ${message.number} refused: ${error}`);
    message.failed = true;
    message.settled++;
    message.wantsReceipt = false;
    if (!sendErrors.has((error as HeddleError).code)) this.#fail(`a send threw ${(error as Error).stack}`);
  }

  #send(endpoint: Endpoint, draw: number, more: boolean, wantsReceipt: boolean, size?: number): void {
    const message = this.#record(endpoint, 'one-way', draw, size);
    this.#note(`${endpoint} sends ${message.number} size=${message.size}`);
    const payload = this.#payload(message);
    try {
      const onReceipt = wantsReceipt ? this.#receiptOf(message) : undefined;
      const header = draw % 7 === 0 ? Buffer.alloc(draw % 50) : undefined;
      const { state } = endpoint.connection;
      endpoint.connection.send(payload, { more, onReceipt, header, context: message.number });
      this.#requireSendable(state);
    } catch (error) {
      this.#refused(message, error);
      this.#dropPayload(payload);
    }
  }

  /** A send that was taken in `state`: after a close, sends fail at once. */
  #requireSendable(state: ConnectionState): void {
    if (!['init', 'established', 'online'].includes(state)) this.#fail(`a send was taken in state ${state}`);
  }

  /** A buffer that could not be sent is its owner's still. */
  #dropPayload(payload: unknown): void {
    (payload as Partial<Disposable> | undefined)?.[Symbol.dispose]?.();
  }

  #deliver(endpoint: Endpoint, draw: number): void {
    const message = this.#record(endpoint, 'one-way', draw);
    const payload = this.#payload(message);
    const promise = endpoint.connection.deliver(payload, { context: message.number });
    this.#track(`deliver ${message.number}`, endpoint.context, promise);
    promise.catch((error: HeddleError) => {
      if (error.code === 'ERR_HEDDLE_FLUSHED' || endpoint.isOver) message.failed = true;
      else this.#refused(message, error);
      this.#dropPayload(payload);
    });
  }

  #request(endpoint: Endpoint, draw: number, c: number): void {
    const message = this.#record(endpoint, 'request', draw);
    this.#note(`${endpoint} requests ${message.number} size=${message.size} ${handlerModes[message.mode]}`);
    const settle = () => {
      if (endpoint.isOver && !endpoint.context.isCrashed)
        this.#fail(`request ${message.number} settled after teardown`);
      if (++message.settled > 1) this.#fail(`request ${message.number} was settled twice`);
    };
    const waiter = {
      onResponse: (response: Message) => {
        settle();
        this.#onResponse(endpoint, response);
      },
      onError: (error: HeddleError) => {
        settle();
        message.failed = true;
        this.#note(`${endpoint}: request ${message.number} failed: ${error.message}`);
      },
    };
    const options: RequestOptions = {
      more: c % 5 === 0,
      timeoutMs: c % 6 === 0 ? 30 : undefined,
      onReceipt: c % 3 === 0 ? this.#receiptOf(message) : undefined,
    };
    const payload = this.#payload(message);
    if (c % 4 === 1) {
      this.#requestByPromise(endpoint, message, payload, options, c);
      return;
    }
    try {
      const { state } = endpoint.connection;
      const requestId = endpoint.connection.requestWith(payload, waiter, options);
      this.#requireSendable(state);
      this.#requestIds.push({ endpoint, requestId });
    } catch (error) {
      this.#refused(message, error);
      this.#dropPayload(payload);
    }
  }

  #requestByPromise(
    endpoint: Endpoint,
    message: SentMessage,
    payload: unknown,
    options: RequestOptions,
    c: number,
  ): void {
    const controller = new AbortController();
    if (c % 8 === 1) this.#later(endpoint.context, () => controller.abort(new Error('enough')));
    const promise = endpoint.connection.request(payload, { ...options, signal: controller.signal });
    this.#track(`request ${message.number}`, endpoint.context, promise);
    promise.then(
      (response) => {
        message.settled++;
        // Promise reactions run when the frame has been taken: their order among other responses says nothing.
        if (response.length >= 12 && !this.#isText(response)) this.#read(response);
        response.release();
      },
      (error: HeddleError) => {
        message.settled++;
        message.failed = true;
        if (sendErrors.has(error.code)) message.wantsReceipt = false;
        this.#dropPayload(payload);
      },
    );
  }

  /** What handlers answer that have no data of their own. */
  #isText(response: Message): boolean {
    return (response.flags & MessageFlag.encoded) !== 0 && typeof response.value === 'string';
  }

  #onResponse(endpoint: Endpoint, response: Message): void {
    if (response.length < 12 || this.#isText(response)) return;
    const { position } = this.#read(response);
    if (position <= endpoint.lastAnswerSeen) {
      this.#fail(`response ${position} of ${endpoint} came after ${endpoint.lastAnswerSeen}`);
    }
    endpoint.lastAnswerSeen = position;
  }

  // ---- checking

  #peerOf(endpoint: Endpoint): Endpoint | undefined {
    return this.#endpoints.find((one) => one.key === endpoint.key && one.side !== endpoint.side);
  }

  #checkAtRest(): void {
    const { profile } = this.scenario;
    for (const message of this.#messages) {
      const { sender } = message;
      if (sender.context.isCrashed) continue;
      if (message.kind === 'request' && message.settled !== 1) {
        this.#fail(`request ${message.number} was settled ${message.settled} times`);
      }
      const peer = this.#peerOf(sender);
      const bothOnline = sender.connection.isOnline && peer?.connection.isOnline && !peer.context.isCrashed;
      if (!bothOnline || profile === 'lossy') continue;
      if (message.delivered === 0 && !message.failed) this.#fail(`${message.kind} ${message.number} was lost silently`);
      if (message.wantsReceipt && message.receipts !== 1 && message.kind === 'one-way') {
        this.#fail(`message ${message.number} had ${message.receipts} receipts`);
      }
    }
    if (profile === 'lossy') return;
    for (const endpoint of this.#endpoints) {
      const peer = this.#peerOf(endpoint);
      if (endpoint.context.isCrashed || endpoint.isOver || peer === undefined || peer.context.isCrashed) continue;
      const { connection } = endpoint;
      if (!connection.isOnline || !peer.connection.isOnline) {
        this.#fail(`at rest ${endpoint} is ${connection.state} and ${peer} is ${peer.connection.state}`);
        continue;
      }
      if (connection.queuedMessages > 0) this.#fail(`at rest ${endpoint} has messages queued`);
      const { ledger } = peer.connection.inbound;
      const { credits } = connection.outbound;
      const messages = credits.posts.messages + credits.responses.messages + ledger.unannouncedMessages;
      const bytes = credits.posts.bytes + credits.responses.bytes + ledger.unannouncedBytes;
      if (messages !== 2 * ledger.depthMessages || bytes !== 2 * ledger.depthBytes) {
        this.#fail(
          `credits of ${endpoint} are not conserved: messages ${messages} of ${2 * ledger.depthMessages}, ` +
            `bytes ${bytes} of ${2 * ledger.depthBytes}`,
        );
      }
    }
  }

  #checkAtEnd(): void {
    for (const { name, context, isSettled } of this.#promises) {
      if (!isSettled && !context.isCrashed) this.#fail(`never settled: ${name}`);
    }
    for (const endpoint of this.#endpoints) {
      if (!endpoint.context.isCrashed && !endpoint.isOver) this.#fail(`never torn down: ${endpoint}`);
    }
    for (const message of this.#messages) {
      if (message.sender.context.isCrashed) continue;
      if (message.wantsReceipt && message.receipts !== 1) {
        this.#fail(`${message.kind} ${message.number} had ${message.receipts} receipts at the end`);
      }
    }
    for (const context of this.#living) {
      const { layer } = context;
      const name = `context ${context.id}`;
      if (layer.connectionCount > 0) this.#fail(`${name} has ${layer.connectionCount} connections`);
      if (layer.pending.count > 0) this.#fail(`${name} has ${layer.pending.count} requests pending`);
      if (layer.hasOutstandingWork) this.#fail(`${name} has outstanding work`);
      if (context.clock.timerCount > 0) this.#fail(`${name} has timers: ${context.clock.foregroundDelays}`);
      const { sendQueueLength } = readStatistics(context.statistics.memory);
      if (sendQueueLength !== 0) this.#fail(`${name} counts ${sendQueueLength} records in send queues`);
      const { buffersHeld } = context.pool.statistics();
      if (buffersHeld > 0) this.#fail(`${name} holds ${buffersHeld} buffers`);
      const bad = context.reports.find(
        (one) => !/handler|onSession|callback of the user's threw: Error: a /.test(one.message),
      );
      if (bad !== undefined) this.#fail(`${name} reported ${bad.stack}`);
    }
    if (this.network.wires.size > 0 && !this.scenario.conditions.sharesMemory && this.scenario.profile !== 'chaos') {
      this.#fail(`${this.network.wires.size} wires are open at the end`);
    }
  }
}
