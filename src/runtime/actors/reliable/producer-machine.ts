/** What a producer keeps to; see ProducerOptions. */
export interface ProducerSettings {
  /** Messages that may wait to be confirmed. */
  readonly window: number;
  readonly retryAfterMicros: number;
  readonly maximumRetryAfterMicros: number;
  /** How often a handler may fail a message before it is given up. */
  readonly maximumFailures: number;
  readonly giveUpAfterMicros: number;
}

/** A message that has not been confirmed. */
export interface Unconfirmed<Message> {
  readonly sequence: number;
  readonly message: Message;
  readonly sinceMicros: number;
  /** When it is to be sent, or sent again. */
  dueMicros: number;
  /** Times that it was sent in vain since the consumer last got on: it may only have waited its turn there. */
  attempts: number;
  failures: number;
  /** Whether it ever was: what was not cannot be confirmed. */
  wasSent: boolean;
  /** Whether it was sent, and nothing was heard of it yet. */
  isUnderWay: boolean;
}

/**
 * The sending half of reliable delivery, without clock and without wire: what is to be sent when. Messages are confirmed in
 * order; no more are under way than the window allows, nor than the consumer has asked for.
 */
export class ProducerMachine<Message> {
  readonly #settings: ProducerSettings;
  readonly #unconfirmed: Unconfirmed<Message>[] = [];
  #next = 1;
  /** One message goes out unasked; what the consumer answers tells how many more it takes. */
  #granted = 1;

  constructor(settings: ProducerSettings) {
    this.#settings = settings;
  }

  get unconfirmed(): number {
    return this.#unconfirmed.length;
  }

  get hasRoom(): boolean {
    return this.#unconfirmed.length < this.#settings.window;
  }

  /** The lowest sequence number that is waited for. */
  get first(): number {
    return this.#unconfirmed[0]?.sequence ?? this.#next;
  }

  /** Takes a message; only where there is room. */
  offer(message: Message, nowMicros: number): number {
    const sequence = this.#next++;
    this.#unconfirmed.push({
      sequence,
      message,
      sinceMicros: nowMicros,
      dueMicros: nowMicros,
      attempts: 0,
      failures: 0,
      wasSent: false,
      isUnderWay: false,
    });
    return sequence;
  }

  /** What is to be sent now; it counts as under way from here on, until something is heard of it. */
  takeDue(nowMicros: number): Unconfirmed<Message>[] {
    const due = this.#unconfirmed.filter(
      ({ sequence, isUnderWay, dueMicros }) => !isUnderWay && dueMicros <= nowMicros && this.#isGranted(sequence),
    );
    for (const one of due) {
      one.isUnderWay = true;
      one.wasSent = true;
    }
    return due;
  }

  /** When something is due next; Infinity when that takes an answer first. */
  get nextDueMicros(): number {
    let next = Infinity;
    for (const { sequence, isUnderWay, dueMicros } of this.#unconfirmed) {
      if (!isUnderWay && this.#isGranted(sequence)) next = Math.min(next, dueMicros);
    }
    return next;
  }

  /** The first one may always go: a grant that was lost with its consumer must not stop everything. */
  #isGranted(sequence: number): boolean {
    return sequence <= this.#granted || sequence === this.first;
  }

  /** The consumer has answered to `sequence`. Returns the messages that are confirmed thereby. */
  onAck(
    sequence: number,
    confirmed: number,
    granted: number,
    isGap: boolean,
    nowMicros: number,
  ): Unconfirmed<Message>[] {
    const done: Unconfirmed<Message>[] = [];
    // No more than was sent can be confirmed, whatever the consumer says.
    while (this.#unconfirmed.length > 0 && this.#unconfirmed[0]!.sequence <= confirmed) {
      if (!this.#unconfirmed[0]!.wasSent) break;
      done.push(this.#unconfirmed.shift()!);
    }
    if (Number.isInteger(granted)) this.#granted = Math.min(granted, this.#next + this.#settings.window);
    const answered = this.find(sequence);
    if (answered !== undefined) {
      answered.isUnderWay = false;
      answered.dueMicros = nowMicros + (isGap ? this.#pause(answered) : this.#settings.retryAfterMicros);
    }
    if (done.length > 0) this.#onProgress(nowMicros);
    return done;
  }

  /** What had come before its turn is sent again as soon as those before it are through, and no pause is longer for it. */
  #onProgress(nowMicros: number): void {
    for (const one of this.#unconfirmed) {
      one.dueMicros = Math.min(one.dueMicros, nowMicros);
      one.attempts = 0;
    }
  }

  /** Nothing was heard of it in time, or it could not be sent: again, later. */
  onLost(sequence: number, nowMicros: number): void {
    const lost = this.find(sequence);
    if (lost === undefined) return;
    lost.isUnderWay = false;
    lost.dueMicros = nowMicros + this.#pause(lost);
  }

  /** Its handler failed. True when it was the last time: the message is given up. */
  onFailed(sequence: number, nowMicros: number): boolean {
    const failed = this.find(sequence);
    if (failed === undefined) return false;
    if (++failed.failures >= this.#settings.maximumFailures) {
      this.#remove(failed);
      return true;
    }
    this.onLost(sequence, nowMicros);
    return false;
  }

  /** Takes out what has been waiting for too long. */
  takeOverdue(nowMicros: number): Unconfirmed<Message>[] {
    const overdue = this.#unconfirmed.filter(
      ({ sinceMicros }) => nowMicros - sinceMicros >= this.#settings.giveUpAfterMicros,
    );
    for (const one of overdue) this.#remove(one);
    return overdue;
  }

  /** When the oldest message will have waited for too long. */
  get overdueMicros(): number {
    const oldest = this.#unconfirmed[0];
    return oldest === undefined ? Infinity : oldest.sinceMicros + this.#settings.giveUpAfterMicros;
  }

  /** Takes one message out: it will not be sent again. */
  drop(sequence: number): void {
    const one = this.find(sequence);
    if (one !== undefined) this.#remove(one);
  }

  /** Takes out everything. */
  takeAll(): Unconfirmed<Message>[] {
    return this.#unconfirmed.splice(0);
  }

  /** It was sent in vain: how long it waits before it is sent again. */
  #pause(one: Unconfirmed<Message>): number {
    const { retryAfterMicros, maximumRetryAfterMicros } = this.#settings;
    return Math.min(maximumRetryAfterMicros, retryAfterMicros * 2 ** Math.min(one.attempts++, 20));
  }

  /** The message of that number, while it is not confirmed. */
  find(sequence: number): Unconfirmed<Message> | undefined {
    const index = sequence - this.first;
    const guess = this.#unconfirmed[index];
    // What was given up in between leaves a hole.
    return guess?.sequence === sequence ? guess : this.#unconfirmed.find((one) => one.sequence === sequence);
  }

  #remove(one: Unconfirmed<Message>): void {
    this.#unconfirmed.splice(this.#unconfirmed.indexOf(one), 1);
  }
}
