// A value that is asked for again and again while somebody looks at the page.
import { Refused } from "./api";

export class Polled<T> {
  value: T | undefined = $state.raw();
  /** Why the last answer was none. What was told before stays. */
  problem: Refused | undefined = $state.raw();
  readonly #ask: () => Promise<T>;
  readonly #every: number;
  #next: ReturnType<typeof setTimeout> | undefined;
  #runs = 0;

  constructor(ask: () => Promise<T>, every: number) {
    this.#ask = ask;
    this.#every = every;
  }

  /** Begins; what is returned ends it. */
  start(): () => void {
    const run = ++this.#runs;
    const visible = () => {
      if (document.visibilityState === "visible") void this.#once(run);
    };
    document.addEventListener("visibilitychange", visible);
    void this.#once(run);
    return () => {
      this.#runs++;
      clearTimeout(this.#next);
      document.removeEventListener("visibilitychange", visible);
    };
  }

  /** Asks now, as after something was done. */
  async again(): Promise<void> {
    await this.#once(this.#runs);
  }

  async #once(run: number): Promise<void> {
    clearTimeout(this.#next);
    try {
      const value = await this.#ask();
      if (run !== this.#runs) return;
      this.value = value;
      this.problem = undefined;
    } catch (error) {
      if (run !== this.#runs) return;
      this.problem = error instanceof Refused ? error : new Refused(0, "INVALID_ANSWER", String(error));
    }
    clearTimeout(this.#next);
    if (document.visibilityState === "visible") this.#next = setTimeout(() => void this.#once(run), this.#every);
  }
}
