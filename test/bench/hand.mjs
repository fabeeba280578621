/** The hand-written parts that several operations share. */

/** A circuit breaker over the last `size` calls: a ring with a byte for each. */
export class HandBreaker {
  constructor({ size, rate, minCalls, recoveryMs }) {
    this.ring = new Uint8Array(size);
    this.at = 0;
    this.calls = 0;
    this.failures = 0;
    this.openUntil = 0;
    this.rate = rate;
    this.minCalls = minCalls;
    this.recoveryMs = recoveryMs;
  }

  admit() {
    if (this.openUntil !== 0 && Date.now() < this.openUntil) throw new Error('the circuit is open');
  }

  record(failed) {
    const { ring, at } = this;
    this.failures += failed - ring[at];
    ring[at] = failed;
    this.at = at + 1 === ring.length ? 0 : at + 1;
    if (this.calls < ring.length) this.calls++;
    if (failed === 1 && this.calls >= this.minCalls && this.failures >= this.rate * this.calls) {
      this.openUntil = Date.now() + this.recoveryMs;
    }
  }
}

/** Deadlines of one span: a linked list in the order in which they fall due, and one timer for all. */
export class HandDeadlines {
  constructor(ms) {
    this.ms = ms;
    this.first = undefined;
    this.last = undefined;
    this.timer = undefined;
  }

  add(expired) {
    const entry = { expired, due: performance.now() + this.ms, previous: this.last, next: undefined };
    if (this.last) this.last.next = entry;
    else this.first = entry;
    this.last = entry;
    if (this.timer === undefined) this.arm(this.ms);
    return entry;
  }

  remove(entry) {
    if (entry.previous) entry.previous.next = entry.next;
    else this.first = entry.next;
    if (entry.next) entry.next.previous = entry.previous;
    else this.last = entry.previous;
  }

  arm(ms) {
    this.timer = setTimeout(() => this.fire(), ms);
  }

  fire() {
    this.timer = undefined;
    while (this.first && this.first.due <= performance.now()) {
      const { expired } = this.first;
      this.remove(this.first);
      expired();
    }
    if (this.first) this.arm(Math.max(1, this.first.due - performance.now()));
  }
}

/** A promise that is rejected when the list's span has passed. */
export function withDeadline(deadlines, work, x) {
  return new Promise((resolve, reject) => {
    const entry = deadlines.add(() => reject(new Error('too late')));
    work(x).then(
      (value) => {
        deadlines.remove(entry);
        resolve(value);
      },
      (error) => {
        deadlines.remove(entry);
        reject(error);
      },
    );
  });
}
