// The time, by the second, as the service has it: a reader's clock may be wrong, and a deadline is the service's.

/** HTTP dates have whole seconds, and an answer is on its way for a while: what is less than this is no difference. */
const TOLERANCE_MS = 1500;

class Clock {
  #now = $state(Date.now());
  #skew = 0;
  #timer: ReturnType<typeof setInterval> | undefined;

  /** Reactive. */
  get now(): number {
    this.#timer ??= setInterval(() => (this.#now = this.exact), 1000);
    return this.#now;
  }

  /** Not reactive. */
  get exact(): number {
    return Date.now() + this.#skew;
  }

  /** An answer that came just now said that it is `date`; it was asked for at `sentAt`, by the reader's clock. */
  heard(date: number, sentAt: number): void {
    const now = Date.now();
    const skew = date + 500 - (sentAt + now) / 2;
    // The longer an answer took, the less its time says. What does not contradict what is known changes nothing: else a slow
    // connection would have countdowns jump.
    const doubt = TOLERANCE_MS + Math.abs(now - sentAt) / 2;
    if (Math.abs(skew - this.#skew) > doubt) this.#skew = Math.abs(skew) <= doubt ? 0 : skew;
    // What the answer tells has just begun: nobody is to see more of it than there is.
    this.#now = this.exact;
  }
}

export const clock = new Clock();
