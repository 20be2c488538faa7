/** Round trips one after another: their p50 in microseconds. */
import { LatencyRecorder } from './latency.js';
import { checkLength, checkPattern, checkPayload, fillPayload, stampPayload } from './payload.js';

/** Round trips whose answers are promises. */
export class AwaitedRoundTrips<Answer> {
  readonly #latencies = new LatencyRecorder();
  readonly #ask: (sequence: number) => Promise<Answer>;
  readonly #check: (answer: Answer, sequence: number, isFirst: boolean) => void;
  #sequence = 0;

  /** `check` throws unless the answer is that to question number `sequence`; its time does not count. */
  constructor(
    ask: (sequence: number) => Promise<Answer>,
    check: (answer: Answer, sequence: number, isFirst: boolean) => void,
  ) {
    this.#ask = ask;
    this.#check = check;
  }

  async run(budgetMs: number): Promise<number> {
    const latencies = this.#latencies;
    latencies.reset();
    const deadlineMs = performance.now() + budgetMs;
    let nowMs: number;
    do {
      const sequence = ++this.#sequence;
      const sentAtMs = performance.now();
      const answer = await this.#ask(sequence);
      nowMs = performance.now();
      latencies.add((nowMs - sentAtMs) * 1000);
      this.#check(answer, sequence, latencies.count === 1);
    } while (nowMs < deadlineMs);
    return latencies.percentile(0.5);
  }
}

/** Throws unless `answer` is the payload number `sequence`, as an echo sends it back. */
export function checkEcho(answer: Uint8Array, bytes: number, sequence: number, isFirst: boolean): void {
  checkLength(answer.length, bytes);
  checkPayload(answer, sequence);
  if (isFirst) checkPattern(answer, sequence, 0, bytes);
}

/** Round trips of bytes whose answers come by a callback, and go out again from it. */
export class EchoedRoundTrips {
  readonly #payload: Buffer;
  readonly #pauseMs: number;
  readonly #send: (payload: Buffer) => void;
  readonly #latencies = new LatencyRecorder();
  readonly #ask = (): void => {
    stampPayload(this.#payload, ++this.#sequence);
    this.#sentAtMs = performance.now();
    this.#send(this.#payload);
  };
  #sequence = 0;
  #sentAtMs = 0;
  #deadlineMs = 0;
  #onEnd: (error?: unknown) => void = () => {};

  /** `pauseMs` lies between an answer and the next question: both sides fall asleep. 0 for none. */
  constructor(bytes: number, pauseMs: number, send: (payload: Buffer) => void) {
    this.#payload = Buffer.alloc(bytes);
    fillPayload(this.#payload);
    this.#pauseMs = pauseMs;
    this.#send = send;
  }

  run(budgetMs: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#latencies.reset();
      this.#deadlineMs = performance.now() + budgetMs;
      this.#onEnd = (error) => (error === undefined ? resolve(this.#latencies.percentile(0.5)) : reject(error));
      this.#ask();
    });
  }

  /** The answer has come. */
  onAnswer(answer: Uint8Array): void {
    const nowMs = performance.now();
    const latencies = this.#latencies;
    latencies.add((nowMs - this.#sentAtMs) * 1000);
    try {
      checkEcho(answer, this.#payload.length, this.#sequence, latencies.count === 1);
    } catch (error) {
      this.#onEnd(error);
      return;
    }
    if (nowMs >= this.#deadlineMs) this.#onEnd();
    else if (this.#pauseMs > 0) setTimeout(this.#ask, this.#pauseMs);
    else this.#ask();
  }

  /** No answer will come any more. */
  fail(error: unknown): void {
    this.#onEnd(error);
  }
}
