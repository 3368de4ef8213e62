// The query side as one buyer reads it: what is on sale, one's own holds and reservations, and how a payment goes on.
import { freshDateOf, type OnTime } from "../dates";
import { Problem, problemOf, silence } from "./problem";
import type { Listed, OwnHold, OwnReservation, Web } from "./types";

/** A reservation waits this long for a change, in seconds: the longest that the service does. */
const WAIT_SECONDS = 25;

export class Reader {
  constructor(
    readonly headers: () => Record<string, string> = () => ({}),
    readonly base = "",
    readonly ask: typeof fetch = (input, init) => fetch(input, init),
    /** Told the service's time by every answer that no cache has kept. */
    readonly ontime?: OnTime,
  ) {}

  web(): Promise<Web> {
    return this.#get("/web.json");
  }

  list(signal?: AbortSignal): Promise<Listed[]> {
    return this.#get("/events", signal);
  }

  /** What sections are called, by their ids; those without a title are not told. */
  async titles(eventId: string): Promise<Map<string, string>> {
    const chart = await this.#get<{ sections: { sectionId: string; title?: string }[] }>(`/events/${encodeURIComponent(eventId)}/chart`);
    return new Map(chart.sections.flatMap(({ sectionId, title }) => (title === undefined ? [] : [[sectionId, title]])));
  }

  holds(userId: string): Promise<OwnHold[]> {
    return this.#get(`/users/${encodeURIComponent(userId)}/holds`);
  }

  reservations(userId: string): Promise<OwnReservation[]> {
    return this.#get(`/users/${encodeURIComponent(userId)}/reservations`);
  }

  reservation(reservationId: string): Promise<OwnReservation> {
    return this.#get(`/reservations/${encodeURIComponent(reservationId)}`);
  }

  /** Whether a gateway names the user of every request, whatever the page sends: then nobody has to sign in here. */
  async isKnown(): Promise<boolean> {
    try {
      await this.#get("/users/~/holds");
      return true;
    } catch (cause) {
      if (!(cause instanceof Problem)) throw cause;
      if (cause.retryable) throw cause;
      return cause.status === 404;
    }
  }

  /** Tells a reservation now and whenever it or its payment changes, until `signal`. What was reserved a moment ago is waited for. */
  async follow(reservationId: string, signal: AbortSignal, told: (reservation: OwnReservation) => void): Promise<void> {
    const address = `${this.base}/reservations/${encodeURIComponent(reservationId)}`;
    let etag: string | undefined;
    let waits = false;
    while (!signal.aborted) {
      try {
        const limit = AbortSignal.any([signal, AbortSignal.timeout((WAIT_SECONDS + 15) * 1000)]);
        const headers = { ...this.headers(), ...(etag === undefined ? {} : { "if-none-match": etag }) };
        const response = await this.ask(waits ? `${address}?wait=${WAIT_SECONDS}` : address, { headers, signal: limit });
        if (response.ok) {
          etag = response.headers.get("etag") ?? undefined;
          told((await response.json()) as OwnReservation);
        } else if (response.status !== 304 && response.status !== 404) throw await problemOf(response);
        waits = true;
        // An answer without a tag could not be waited on: ask no more than once a second.
        if (etag === undefined) await pause(1000, signal);
      } catch (cause) {
        if (signal.aborted) return;
        await pause(cause instanceof Problem ? (cause.retryAfter ?? 2000) : 2000, signal);
      }
    }
  }

  async #get<T>(address: string, signal?: AbortSignal): Promise<T> {
    const sentAt = Date.now();
    let response: Response;
    try {
      const limit = AbortSignal.timeout(15_000);
      response = await this.ask(this.base + address, {
        headers: this.headers(),
        signal: signal === undefined ? limit : AbortSignal.any([signal, limit]),
      });
    } catch (cause) {
      throw silence(cause);
    }
    const date = freshDateOf(response);
    if (date !== undefined) this.ontime?.(date, sentAt);
    if (!response.ok) throw await problemOf(response);
    return (await response.json()) as T;
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });
}
