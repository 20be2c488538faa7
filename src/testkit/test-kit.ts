import { longestTimerMs, systemClock } from '../clock.js';
import { HeddleError, requireInteger, requireKnownOptions, thrownFacts } from '../errors.js';
import { requireBoolean } from '../runtime/actors/checks.js';
import type { DeadLetter } from '../runtime/actors/dead-letters.js';
import type { Ref } from '../runtime/actors/ref.js';
import type { ActorFailure } from '../runtime/actors/system.js';
import type { Protocol } from '../runtime/actors/types.js';
import { ClusterSystem, type ClusterSystemOptions, systemOptionNames } from '../runtime/cluster/cluster-system.js';
import { CodecCell } from './codec-cell.js';
import { ManualClock } from './manual-clock.js';
import { Probe } from './probe.js';
import { type ProbeSink, probeDefinition } from './probe-cell.js';

/** How a test kit is made: as a system is, and with what a test wants. */
export interface TestKitOptions extends ClusterSystemOptions {
  /**
   * Takes what actors of this thread are spawned with, told, asked, and reply through the codec, as if they lived in
   * different threads: each gets its own copy, errors arrive as a `RemoteError`, and what cannot be sent fails with
   * `ERR_HEDDLE_CODEC`, naming the actor, the message, and where in it. Default: true.
   */
  readonly throughCodec?: boolean | undefined;
  /**
   * The time of the actors stands still until {@link TestKit.advance} moves it: timers, receive timeouts, backoff,
   * deadlines of asks, pools that shrink. Only without worker contexts. Default: false.
   */
  readonly manualTime?: boolean | undefined;
  /**
   * How long probes wait unless told otherwise, and {@link TestKit.settle} for actors to come to rest, in milliseconds of
   * real time. Default: 3000.
   */
  readonly withinMs?: number | undefined;
}

/** How long a system may take to close before the manual clock is moved on to what it waits for. */
const closeGraceMs = 50;
/** Nothing comes for this long, where real time has to pass and the test does not say how much. */
const defaultNothingMs = 50;
/** Failures, and dead letters, that are kept. */
const maximumKept = 1000;

/**
 * A system for one test, with probes and, if wanted, a clock that the test moves. Made by {@link createTestKit}; works with
 * any test runner. {@link close} it, or `await using`, at the test's end.
 */
export class TestKit implements AsyncDisposable {
  /** The system under test. */
  readonly system: ClusterSystem;
  /** @internal */
  readonly throughCodec: boolean;
  readonly #clock: ManualClock | undefined;
  readonly #withinMs: number;
  readonly #failures: ActorFailure[] = [];
  readonly #deadLetters: DeadLetter[] = [];
  /** What a test waits for in another thread keeps no process alive, and a runner ends a test when nothing does. */
  readonly #hold: NodeJS.Timeout;
  #isAdvancing = false;
  #closing: Promise<void> | undefined;

  /** @internal Use {@link createTestKit}. */
  constructor(options: TestKitOptions) {
    requireKnownOptions('createTestKit', options, ['throughCodec', 'manualTime', 'withinMs', ...systemOptionNames]);
    const { throughCodec = true, manualTime = false, withinMs = 3000, ...systemOptions } = options;
    requireBoolean('throughCodec', throughCodec);
    requireBoolean('manualTime', manualTime);
    this.#withinMs = requireInteger('withinMs', withinMs, 0, longestTimerMs);
    const { contexts = 0 } = systemOptions;
    if (manualTime && contexts !== 0 && !(Array.isArray(contexts) && contexts.length === 0)) {
      throw new HeddleError(
        'ERR_HEDDLE_INVALID_ARGUMENT',
        'manualTime is for actors of this thread: leave contexts out, or manualTime. throughCodec stands in for threads',
      );
    }
    this.throughCodec = throughCodec;
    this.#clock = manualTime ? new ManualClock() : undefined;
    this.system = new ClusterSystem(systemOptions, {
      clock: this.#clock,
      cellClass: throughCodec ? CodecCell : undefined,
    });
    this.system.on('actorFailure', (failure) => keep(this.#failures, failure));
    this.system.on('deadLetter', (letter) => keep(this.#deadLetters, letter));
    this.#hold = setInterval(() => {}, longestTimerMs);
  }

  /** The clock that the actors go by. Throws ERR_HEDDLE_INVALID_STATE unless the kit was made with `manualTime`. */
  get clock(): ManualClock {
    if (this.#clock !== undefined) return this.#clock;
    throw new HeddleError(
      'ERR_HEDDLE_INVALID_STATE',
      'this kit goes by real time: make it with createTestKit({ manualTime: true }) to move its clock',
    );
  }

  /** The kit's time in milliseconds: since it was made when that is manual. */
  get nowMs(): number {
    return (this.#clock ?? systemClock).nowMicros() / 1000;
  }

  /** Failures of actors so far, and what was done about each: the last 1000. */
  get failures(): readonly ActorFailure[] {
    return this.#failures;
  }

  /** Dead letters so far: the last 1000. */
  get deadLetters(): readonly DeadLetter[] {
    return this.#deadLetters;
  }

  /**
   * Makes a probe, in this thread. Say what it stands for to have its messages typed.
   *
   * @example
   * const printer = kit.probe<{ print(page: string): void }>('printer');
   */
  // biome-ignore lint/suspicious/noExplicitAny: without a protocol a probe stands for any actor
  probe<M extends Protocol<M> = any>(name = 'probe'): Probe<M> {
    return new Probe<M>(this, name);
  }

  /**
   * Moves the manual clock on by `durationMs`, timer by timer; in between the actors come to rest, so that a timer which
   * is set in answer to another fires in its turn, too.
   *
   * @example
   * const outcome = t.throwsAsync(slow.ask('work')); // its promise is looked after before time passes
   * await kit.advance(5000);
   * await outcome;
   *
   * @throws ERR_HEDDLE_INVALID_STATE without `manualTime`, and while another call is under way; ERR_HEDDLE_TIMEOUT as
   *   {@link settle}
   */
  async advance(durationMs: number): Promise<void> {
    const { clock } = this;
    const untilMicros = clock.timeAfter(durationMs);
    if (this.#isAdvancing) {
      throw new HeddleError('ERR_HEDDLE_INVALID_STATE', 'the clock is being moved already: await that first');
    }
    this.#isAdvancing = true;
    try {
      await this.settle();
      while (clock.fireNext(untilMicros)) await this.settle();
      clock.moveTo(untilMicros);
      await this.settle();
    } finally {
      this.#isAdvancing = false;
    }
  }

  /**
   * Resolves when the actors of this thread are at rest: none has a message that it could handle. What waits for time to
   * pass, for input or output, or for another thread is not waited for; for that there are probes.
   *
   * Rejects with `ERR_HEDDLE_TIMEOUT` when they keep each other busy for the kit's `withinMs`.
   */
  async settle(): Promise<void> {
    const { host } = this.system;
    const endMs = performance.now() + this.#withinMs;
    // A turn in which nothing waited, and all that was promised by then has been done: then another, to be sure of it.
    for (let quietTurns = 0; quietTurns < 2; ) {
      await new Promise((resolve) => setImmediate(resolve));
      quietTurns = host.isAtRest ? quietTurns + 1 : 0;
      if (quietTurns > 0 || performance.now() < endMs) continue;
      const busy = host.cells.filter((cell) => cell.inbox.runnable > 0).map((cell) => String(cell.ref));
      throw new HeddleError(
        'ERR_HEDDLE_TIMEOUT',
        `the actors do not come to rest: ${busy.slice(0, 10).join(', ')} keep each other busy`,
        { details: { busy } },
      );
    }
  }

  /** Closes the system. Time that stands still holds nothing up: the clock is moved on to what the actors wait for. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** For `await using`: the same as {@link close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    let isClosed = false;
    const closing = this.system.close().then(() => {
      isClosed = true;
    });
    const clock = this.#clock;
    let timer: NodeJS.Timeout | undefined;
    const grace = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, closeGraceMs);
    });
    await Promise.race([closing, grace]);
    clearTimeout(timer);
    while (!isClosed && clock !== undefined) {
      clock.fireNext(Infinity);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await closing;
    clearInterval(this.#hold);
  }

  /** @internal */
  spawnProbe(name: string, sink: ProbeSink): Ref {
    const { host } = this.system;
    return host.spawner.spawnHere(host.root, probeDefinition(name), sink);
  }

  /** @internal */
  withinMsOf(withinMs: number | undefined): number {
    if (withinMs === undefined) return this.#withinMs;
    if (withinMs >= 0 && withinMs <= longestTimerMs) return withinMs;
    throw new HeddleError(
      'ERR_HEDDLE_INVALID_ARGUMENT',
      `withinMs=${withinMs} must be a number from 0 to ${longestTimerMs}`,
    );
  }

  /** @internal Lets so much of the kit's time pass. */
  async pass(durationMs: number | undefined): Promise<void> {
    if (this.#clock !== undefined) await this.advance(durationMs ?? 0);
    else await new Promise((resolve) => setTimeout(resolve, this.withinMsOf(durationMs ?? defaultNothingMs)));
  }

  /** @internal What may be the reason why nothing came. */
  explain(): string {
    const facts: string[] = [];
    for (const { ref, error, action } of this.#failures.slice(-3)) {
      facts.push(`${ref} failed (${action}): ${thrownFacts(error).message}`);
    }
    for (const { to, name, reason } of this.#deadLetters.slice(-3)) {
      facts.push(`${name} to ${to} became a dead letter: ${reason}`);
    }
    const { nextTimerMs } = this.#clock ?? {};
    if (nextTimerMs !== undefined) facts.push(`the clock stands still, and a timer is due in ${nextTimerMs} ms`);
    return facts.length === 0 ? '' : `. ${facts.join('. ')}`;
  }
}

function keep<T>(list: T[], item: T): void {
  list.push(item);
  if (list.length > maximumKept) list.shift();
}

/**
 * Makes a system for a test, with probes and, if wanted, a clock that the test moves. It leaves signals alone unless told
 * otherwise.
 *
 * @example
 * const kit = await createTestKit({ manualTime: true });
 * t.teardown(() => kit.close());
 * const probe = kit.probe<{ ring(): void }>();
 * const alarm = kit.system.spawnHere(Alarm, { bell: probe.ref, afterMs: 60_000 });
 * await probe.expectNothing(59_999);
 * await kit.advance(1);
 * await probe.expectMessage('ring');
 *
 * @throws ERR_HEDDLE_INVALID_ARGUMENT, and what `createSystem` throws
 */
export async function createTestKit(options: TestKitOptions = {}): Promise<TestKit> {
  const kit = new TestKit(options);
  try {
    await kit.system.start(options.signals ?? []);
    if (options.inspect !== undefined) kit.system.inspect(options.inspect);
  } catch (error) {
    await kit.close();
    throw error;
  }
  return kit;
}
