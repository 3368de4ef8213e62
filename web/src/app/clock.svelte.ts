// The time, by the second, as the service has it: a reader's clock may be wrong, and a deadline is the service's.

/** HTTP dates have whole seconds: what is less than this is no difference. */
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

  /** An answer that came just now said that it is `date`. */
  heard(date: number): void {
    const skew = date + 500 - Date.now();
    this.#skew = Math.abs(skew) <= TOLERANCE_MS ? 0 : skew;
    // What the answer tells has just begun: nobody is to see more of it than there is.
    this.#now = this.exact;
  }
}

export const clock = new Clock();
