/*
 * The ring, the sleep protocol and the want-room protocol of src/transports/shm, for two producer contexts and one
 * consumer context with a ring each. Each Atomics call of the program is one step here, and so is each plain access to
 * a record, so that every interleaving of them is tried.
 *
 * Checked: every record read is the next one, whole and unchanged while it is read (nothing unpublished, nothing
 * overwritten), a producer never runs more than the capacity ahead, and nobody sleeps for ever (a lost wakeup is a
 * deadlock, "invalid end state").
 *
 * BROKEN=n is a deliberate mistake that must be found:
 *   1  the producer loads the sleeping flag before it stores the tail
 *   2  the consumer looks at its rings before it stores the sleeping flag
 *   3  the producer looks for room before it stores its own sleeping flag
 *   4  the consumer loads the want-room flag before it stores the head
 *   5  the tail is stored before the record is written
 *   6  the head is stored before the record has been read
 *   7  the flag is taken without ringing (what closing a doorbell too early amounts to)
 */
#ifndef BROKEN
#define BROKEN 0
#endif
#ifndef RINGS
#define RINGS 2
#endif
#ifndef CAPACITY
#define CAPACITY 2
#endif
#ifndef RECORDS
#define RECORDS 3
#endif

#define TORN 255

typedef Ring {
  byte tail;
  byte head;
  bool wantsRoom;
  byte record[CAPACITY]
}

Ring ring[RINGS];
/* Sleeping flags and doorbells. A bell is a bit: messages that wait together wake together. */
bool consumerSleeping;
bool consumerBell;
bool producerSleeping[RINGS];
bool producerBell[RINGS];

/* Loads the flag; if it is up, swaps it; who wins rings. */
inline wake(seen, sleeping, bell) {
  seen = sleeping;
  if
  :: seen ->
    atomic {
      if
      :: sleeping -> sleeping = false
      :: else -> seen = false
      fi
    }
    if
    :: seen && BROKEN != 7 -> bell = true
    :: else -> skip
    fi
  :: else -> skip
  fi
}

inline publish() {
  if
  :: published != claimed ->
    published = claimed;
#if BROKEN == 1
    flag = consumerSleeping;
    ring[me].tail = claimed;
    if
    :: flag ->
      atomic {
        if
        :: consumerSleeping -> consumerSleeping = false
        :: else -> flag = false
        fi
      }
      if
      :: flag -> consumerBell = true
      :: else -> skip
      fi
    :: else -> skip
    fi
#else
    ring[me].tail = claimed;
    wake(flag, consumerSleeping, consumerBell)
#endif
  :: else -> skip
  fi
}

proctype Producer(byte me) {
  byte claimed = 0;
  byte published = 0;
  byte cachedHead = 0;
  bool flag;

  do
  :: claimed == RECORDS -> break
  :: else ->
    /* claim: makeRoom() when the window is used up */
    if
    :: claimed - cachedHead < CAPACITY -> skip
    :: else ->
      cachedHead = ring[me].head;
      if
      :: claimed - cachedHead < CAPACITY -> skip
      :: else ->
        publish();
        ring[me].wantsRoom = true;
        cachedHead = ring[me].head;
        do
        :: claimed - cachedHead < CAPACITY -> ring[me].wantsRoom = false; break
        :: else ->
          /* the context finds nothing to do and sleeps; a bell may be heard before that, in vain */
          if
          :: producerBell[me] = false
          :: skip
          fi;
#if BROKEN == 3
          cachedHead = ring[me].head;
          producerSleeping[me] = true;
#else
          producerSleeping[me] = true;
          cachedHead = ring[me].head;
#endif
          if
          :: claimed - cachedHead < CAPACITY -> producerSleeping[me] = false
          :: else ->
            producerBell[me];
            producerBell[me] = false;
            producerSleeping[me] = false;
            cachedHead = ring[me].head
          fi
        od
      fi
    fi;
    assert(claimed - ring[me].head < CAPACITY);
#if BROKEN == 5
    claimed++;
    publish();
    ring[me].record[(claimed - 1) % CAPACITY] = TORN;
    ring[me].record[(claimed - 1) % CAPACITY] = claimed;
#else
    ring[me].record[claimed % CAPACITY] = TORN;
    ring[me].record[claimed % CAPACITY] = claimed + 1;
    claimed++;
#endif
    /* more in batch, or not */
    if
    :: publish()
    :: skip
    fi
  od;
  publish()
}

inline publishHead(r) {
#if BROKEN == 4
  flag = ring[r].wantsRoom;
  ring[r].head = head[r];
#else
  ring[r].head = head[r];
  flag = ring[r].wantsRoom;
#endif
  if
  :: flag -> wake(flag, producerSleeping[r], producerBell[r])
  :: else -> skip
  fi
}

inline poll(r) {
  seenTail[r] = ring[r].tail;
  if
  :: head[r] != seenTail[r] ->
#if BROKEN == 6
    head[r] = seenTail[r];
    publishHead(r);
    head[r] = head[r] - 1;
    value = ring[r].record[head[r] % CAPACITY];
    assert(value == head[r] + 1);
    assert(value == ring[r].record[head[r] % CAPACITY]);
    head[r]++;
#else
    do
    :: head[r] != seenTail[r] ->
      value = ring[r].record[head[r] % CAPACITY];
      assert(value == head[r] + 1);
      /* the handler runs; the record must be as it was when it ends */
      assert(value == ring[r].record[head[r] % CAPACITY]);
      head[r]++;
      if
      :: skip
      :: break /* the budget is used up */
      fi
    :: else -> break
    od;
    publishHead(r);
#endif
    progress = true
  :: else -> skip
  fi
}

proctype Consumer() {
  byte head[RINGS];
  byte seenTail[RINGS];
  byte value;
  byte r;
  bool flag;
  bool progress;
  bool work;

  do
  :: true ->
    progress = false;
    for (r : 0 .. RINGS - 1) {
      poll(r)
    }
    work = true;
    for (r : 0 .. RINGS - 1) {
      work = work && head[r] == RECORDS
    }
    if
    :: work -> break
    :: else -> skip
    fi;
    if
    :: progress -> skip
    :: else ->
      if
      :: consumerBell = false
      :: skip
      fi;
      work = false;
#if BROKEN != 2
      consumerSleeping = true;
#endif
      for (r : 0 .. RINGS - 1) {
        seenTail[r] = ring[r].tail;
        work = work || seenTail[r] != head[r]
      }
#if BROKEN == 2
      consumerSleeping = true;
#endif
      if
      :: work -> consumerSleeping = false
      :: else ->
        consumerBell;
        consumerBell = false;
        consumerSleeping = false
      fi
    fi
  od
}

init {
  byte i;
  atomic {
    for (i : 0 .. RINGS - 1) {
      run Producer(i)
    }
    run Consumer()
  }
}
