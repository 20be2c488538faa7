import { MemoryBlock } from '../record.js';
import { type Binding, loadBinding, type NativeWorker } from './binding.js';
import { type OperationOwner, Operations } from './operations.js';
import {
  CompletionKind,
  completionCapacity,
  completionWords,
  receiveAreaBytes,
  SubmissionKind,
  submissionCapacity,
  submissionWords,
} from './queues.js';
import { RegisteredMemory } from './registered-memory.js';

/** Memory that UCX can send from and receive into. */
export class RegisteredBlock extends MemoryBlock {
  /** Its number in the worker. */
  readonly memoryId: number;

  constructor(memory: SharedArrayBuffer, memoryId: number) {
    super(memory);
    this.memoryId = memoryId;
  }
}

/** Whoever takes what happens to endpoints. */
export interface EndpointOwner {
  /** A frame lies in `block`; its bytes may be reused when the call returns. */
  onFrame(block: MemoryBlock, start: number, lengthBytes: number): void;
  onHello(bytes: Buffer): void;
  /** The wire is lost: the endpoint is to be closed. */
  onFailed(status: number): void;
  /** UCX has let go of the endpoint: its number may be used again. */
  onClosed(): void;
  /** The peer broke the protocol; `violation` says how. */
  onViolation(violation: number): void;
}

/** What the worker tells its transport. */
export interface RdmaWorkerOwner {
  /** A peer has connected through a listener: returns who takes what comes from it. */
  onAccepted(listener: number, endpoint: number): EndpointOwner;
  /** Something has happened to the worker while it was armed. Called in the event loop. */
  onWake(): void;
}

/** Statuses of UCX that mean something here. */
export const ucxStatus = {
  unreachable: -6,
  busy: -15,
  canceled: -16,
  timedOut: -20,
  rejected: -23,
  connectionReset: -25,
} as const;

/**
 * The script's side of the binding: fills the submissions, reads the completions, and hands each on to whom it concerns.
 * One call into native code serves all that a turn sends and receives.
 */
export class RdmaWorker {
  readonly native: NativeWorker;
  readonly operations = new Operations();
  readonly memory: RegisteredMemory;
  /** Whether this worker reads and writes memory of peers, and they its own, over wires whose device does that. */
  readonly isOneSided: boolean;
  readonly #binding: Binding;
  readonly #owner: RdmaWorkerOwner;
  readonly #submissions = new Int32Array(new SharedArrayBuffer(submissionCapacity * submissionWords * 4));
  readonly #completions = new Int32Array(new SharedArrayBuffer(completionCapacity * completionWords * 4));
  readonly #area = new MemoryBlock(new SharedArrayBuffer(receiveAreaBytes));
  readonly #endpoints: (EndpointOwner | undefined)[] = [];
  /** Large messages whose data is being sent or received. */
  transfersUnderWay = 0;
  #submitted = 0;
  /** Completions of the last exchange that have not been read. */
  #nextCompletion = 0;
  #completionCount = 0;
  #isArmed = false;
  #isClosed = false;

  /**
   * @param oneSided whether one-sided operations are wanted; see {@link isOneSided}
   * @throws HeddleError `ERR_HEDDLE_TRANSPORT_UNAVAILABLE`
   */
  constructor(owner: RdmaWorkerOwner, oneSided: boolean) {
    this.#binding = loadBinding();
    this.#owner = owner;
    const area = new Uint8Array(this.#area.int32.buffer);
    const onWake = () => {
      this.#isArmed = false;
      owner.onWake();
    };
    this.native = new this.#binding.Worker(this.#submissions, this.#completions, area, onWake, oneSided);
    this.memory = new RegisteredMemory(this.native);
    this.isOneSided = oneSided && this.native.isOneSided();
  }

  /** What a status of UCX means. */
  statusText(status: number): string {
    return this.#binding.statusText(status);
  }

  /** From now on `owner` takes what happens to the endpoint. */
  setOwner(endpoint: number, owner: EndpointOwner): void {
    this.#endpoints[endpoint] = owner;
  }

  /** Whether submissions, or completions that were not read, keep the worker from sleeping. */
  get hasWork(): boolean {
    return this.#submitted > 0 || this.#nextCompletion < this.#completionCount;
  }

  /** Memory of its own that UCX can send from. */
  allocateBlock(lengthBytes: number): RegisteredBlock {
    const memory = new SharedArrayBuffer(lengthBytes);
    return new RegisteredBlock(memory, this.native.registerMemory(new Uint8Array(memory)));
  }

  /** Lets go of a block, once UCX has no more use for it. */
  freeBlock(block: RegisteredBlock): void {
    if (!this.#isClosed) this.native.unregisterMemory(block.memoryId);
  }

  /** Asks for something that ends later: `owner` is told, with `subject`. It begins with the next call into the binding. */
  submit<S>(
    kind: number,
    endpoint: number,
    owner: OperationOwner<S>,
    subject: S,
    memoryId: number,
    offset: number,
    lengthBytes: number,
    reference: number,
  ): number {
    const tag = this.operations.add(owner, subject);
    const word = this.#place(kind, endpoint, tag);
    const words = this.#submissions;
    words[word + 3] = memoryId;
    words[word + 4] = offset;
    words[word + 5] = lengthBytes;
    words[word + 6] = reference;
    return word;
  }

  /** As {@link submit}, for what reaches memory of the peer: `key` and `address` say where. */
  submitRemote<S>(
    kind: number,
    endpoint: number,
    owner: OperationOwner<S>,
    subject: S,
    memoryId: number,
    lengthBytes: number,
    key: number,
    address: bigint,
  ): void {
    const word = this.submit(kind, endpoint, owner, subject, memoryId, 0, lengthBytes, key);
    const words = this.#submissions;
    words[word + 8] = Number(BigInt.asIntN(32, address));
    words[word + 9] = Number(BigInt.asIntN(32, address >> 32n));
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Ends an endpoint. Its owner is told by `onClosed` when UCX has let go of it. */
  submitClose(endpoint: number): void {
    this.#place(SubmissionKind.close, endpoint, -1);
  }

  /** Nobody wants what the peer offers under that number. */
  submitDiscard(endpoint: number, transfer: number): void {
    const word = this.#place(SubmissionKind.discard, endpoint, -1);
    this.#submissions[word + 6] = transfer;
  }

  /** Starts what was submitted now, outside of a poll. Completions that this leads to wait for the next one. */
  flush(): void {
    if (this.#submitted === 0 || this.#isClosed) return;
    const count = this.#submitted;
    this.#submitted = 0;
    const waiting = this.native.submit(count);
    // Asleep, nobody polls for what has completed already.
    if (waiting > 0 && this.#isArmed) {
      this.disarm();
      setImmediate(() => this.#owner.onWake());
    }
  }

  /**
   * Reads about `budget` completions, after an exchange with UCX when none are left from the one before. Returns how many
   * there were; 1 when there were none, but UCX had something to do and a large message is under way: a part of it came or left.
   */
  poll(budget: number): number {
    if (this.#isClosed) return 0;
    if (this.#nextCompletion === this.#completionCount) {
      const count = this.#submitted;
      this.#submitted = 0;
      this.#nextCompletion = 0;
      this.#completionCount = 0;
      const completions = this.native.exchange(count);
      if (completions < 0) return this.transfersUnderWay > 0 ? 1 : 0;
      this.#completionCount = completions;
    }
    const first = this.#nextCompletion;
    const end = Math.min(this.#completionCount, first + budget);
    for (let next = first; next < end && !this.#isClosed; next++) {
      // Counted before it is handled: what throws is not met again.
      this.#nextCompletion = next + 1;
      this.#handle(next * completionWords);
    }
    return end - first;
  }

  /** True when there is nothing to do: the event loop calls `onWake` when there is. */
  arm(): boolean {
    if (this.#isClosed || this.#isArmed) return true;
    if (this.hasWork || !this.native.arm()) return false;
    this.#isArmed = true;
    return true;
  }

  disarm(): void {
    if (!this.#isArmed || this.#isClosed) return;
    this.#isArmed = false;
    this.native.disarm();
  }

  /** Ends everything at once. Operations that are under way end with an error. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.native.close();
    this.operations.endAll(ucxStatus.canceled);
  }

  #place(kind: number, endpoint: number, tag: number): number {
    if (this.#submitted === submissionCapacity) this.flush();
    const word = this.#submitted++ * submissionWords;
    const words = this.#submissions;
    words[word] = kind;
    words[word + 1] = endpoint;
    words[word + 2] = tag;
    return word;
  }

  #handle(word: number): void {
    const words = this.#completions;
    const kind = words[word]!;
    const endpoint = words[word + 1]!;
    if (kind === CompletionKind.done) {
      this.operations.end(words[word + 2]!, words[word + 3]!);
      return;
    }
    if (kind === CompletionKind.accepted) {
      this.#endpoints[endpoint] = this.#owner.onAccepted(words[word + 2]!, endpoint);
      return;
    }
    const owner = this.#endpoints[endpoint];
    if (owner === undefined) return;
    switch (kind) {
      case CompletionKind.frame:
        owner.onFrame(this.#area, words[word + 4]!, words[word + 5]!);
        return;
      case CompletionKind.hello:
        owner.onHello(Buffer.from(this.#area.bytes.subarray(words[word + 4]!, words[word + 4]! + words[word + 5]!)));
        return;
      case CompletionKind.failed:
        owner.onFailed(words[word + 3]!);
        return;
      case CompletionKind.violation:
        owner.onViolation(words[word + 2]!);
        return;
      case CompletionKind.closed:
        this.#endpoints[endpoint] = undefined;
        owner.onClosed();
    }
  }
}
