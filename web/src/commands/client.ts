// The command side: hold, grow, extend, reserve, release, cancel. A wish has one Idempotency-Key, kept over all of its retries.
import { dateOf, type OnTime } from "../dates";
import { Problem, problemOf, silence } from "./problem";
import { patience, repeat, type Patience, type Waiting } from "./retry";
import type { BestAvailable, Choice, Hold, Released, Reserved } from "./types";

export { Problem } from "./problem";
export type { Waiting } from "./retry";
export type * from "./types";

/** Longest that one attempt may take. The service answers within its own time-outs, which are shorter. */
const ATTEMPT_MS = 15_000;

/** Names one wish of a buyer: a repeat under the same name does nothing twice. */
export function newWish(): string {
  if (typeof crypto.randomUUID === "function") return crypto.randomUUID();
  // Pages that did not come over https have no randomUUID.
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export interface Caller {
  /** Where commands go: an origin, or "" for the page's own. */
  base: string;
  /** Who asks: x-user-id, authorization, or nothing where a gateway knows. */
  headers: () => Record<string, string>;
  fetch?: typeof fetch;
  patience?: Patience;
  /** Told while a command waits for its next attempt, and with nothing once it does not. */
  onwait?: (waiting: Waiting | undefined) => void;
  /** Told the service's time by every answer that has one. */
  ontime?: OnTime;
}

const path = encodeURIComponent;

export class Commands {
  readonly #caller: Caller;

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  /** Seats and areas, or the best that are available, all or none. The same wish may be reserved by now: then that is told. */
  hold(eventId: string, choice: Choice, wish = newWish()): Promise<Hold | Reserved> {
    return this.#post(`/events/${path(eventId)}/holds`, choice, wish);
  }

  holdSeat(seatId: string, wish = newWish()): Promise<Hold | Reserved> {
    return this.#post(`/seats/${path(seatId)}/hold`, undefined, wish);
  }

  /** Grows a hold; its deadline stays. */
  addToHold(holdId: string, choice: Choice, wish = newWish()): Promise<Hold> {
    return this.#post(`/holds/${path(holdId)}/seats`, choice, wish);
  }

  /** Chosen by the service: into the hold, if one is named, or into a new one. */
  chooseBest(eventId: string, best: BestAvailable, holdId?: string, wish = newWish()): Promise<Hold | Reserved> {
    const choice = { bestAvailable: best };
    return holdId === undefined ? this.hold(eventId, choice, wish) : this.addToHold(holdId, choice, wish);
  }

  /** One's own hold, with prices. */
  readHold(holdId: string): Promise<Hold> {
    return this.#send("GET", `/holds/${path(holdId)}`);
  }

  /** As long again as a new hold, up to the SeatingEvent's longest. */
  extend(holdId: string, seconds?: number, wish = newWish()): Promise<Hold> {
    return this.#post(`/holds/${path(holdId)}/extend`, seconds === undefined ? undefined : { seconds }, wish);
  }

  reserve(holdId: string, wish = newWish()): Promise<Reserved> {
    return this.#post(`/holds/${path(holdId)}/reserve`, undefined, wish);
  }

  /** One seat of a hold or of a reservation. Nothing is told where a repeat found it given back already. */
  releaseSeat(seatId: string, wish = newWish()): Promise<Released | undefined> {
    return this.#undo("POST", `/seats/${path(seatId)}/release`, "SEAT_NOT_HELD", wish);
  }

  release(holdId: string): Promise<Released | undefined> {
    return this.#undo("DELETE", `/holds/${path(holdId)}`, "HOLD_NOT_FOUND");
  }

  cancel(reservationId: string): Promise<Released | undefined> {
    return this.#undo("DELETE", `/reservations/${path(reservationId)}`, "RESERVATION_NOT_FOUND");
  }

  #post<T>(address: string, body: unknown, wish: string): Promise<T> {
    return this.#send("POST", address, body, wish);
  }

  /** A lost answer is followed by a repeat, which is told that there is nothing to undo: then it was done. */
  async #undo(method: string, address: string, gone: string, wish?: string): Promise<Released | undefined> {
    let attempts = 0;
    try {
      return await this.#send<Released>(method, address, undefined, wish, () => attempts++);
    } catch (cause) {
      if (attempts > 1 && cause instanceof Problem && cause.code === gone) return undefined;
      throw cause;
    }
  }

  #send<T>(method: string, address: string, body?: unknown, wish?: string, onattempt?: () => void): Promise<T> {
    const caller = this.#caller;
    const ask = caller.fetch ?? ((input: RequestInfo | URL, init?: RequestInit) => fetch(input, init));
    const attempt = async () => {
      onattempt?.();
      const headers: Record<string, string> = { ...caller.headers() };
      if (wish !== undefined) headers["idempotency-key"] = wish;
      if (body !== undefined) headers["content-type"] = "application/json";
      const sentAt = Date.now();
      let response: Response;
      try {
        response = await ask(caller.base + address, {
          method,
          headers,
          body: body === undefined ? undefined : JSON.stringify(body),
          signal: AbortSignal.timeout(ATTEMPT_MS),
        });
      } catch (cause) {
        throw silence(cause);
      }
      const date = dateOf(response);
      if (date !== undefined) caller.ontime?.(date, sentAt);
      if (!response.ok) throw await problemOf(response);
      try {
        return (await response.json()) as T;
      } catch (cause) {
        // The answer broke off: what was done is told to a repeat.
        throw silence(cause);
      }
    };
    return repeat(attempt, caller.patience ?? patience, caller.onwait ?? (() => undefined));
  }
}
