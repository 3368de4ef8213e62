// The operators' routes: what is asked, what is answered, and why something was refused.
import type { Conflict, Hold, OwnReservation, PaymentState, Released, Reserved } from "../commands/types";

/** What was reserved in a minute, as far as it was not given back since. */
export interface Minute {
  at: number;
  reservations: number;
  seats: number;
  revenue: number;
  currency: string;
}

export interface Curve {
  since: number;
  minutes: Minute[];
}

export interface SectionStats {
  sectionId: string;
  reserved: number;
  released: number;
  revenue: number;
}

export interface Statistics {
  asOfSequence: number;
  currency: string;
  sections: SectionStats[];
}

export type Order = OwnReservation & { userId: string };

export interface PaymentSum {
  state: PaymentState;
  currency: string;
  count: number;
  charged: number;
  refunded: number;
}

export interface OnePayment {
  reservationId: string;
  eventId: string;
  userId: string;
  currency: string;
  state: PaymentState;
  charged: number;
  refunded: number;
  reason?: string;
  updatedAt: number;
}

export interface Payments {
  states: PaymentSum[];
  payments: OnePayment[];
}

export interface Traced {
  eventId: string;
  eventType: string;
  aggregateId: string;
  sequence?: number;
  timestamp: number;
  userId?: string;
  caused: Traced[];
}

export interface Trace {
  correlationId: string;
  events: Traced[];
  isCut: boolean;
}

export interface Outbox {
  events: number;
  depth: number;
  oldestSeconds: number;
  splits: number;
}

/** Why an answer was no success. Without an answer `status` is 0. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    detail: string,
    readonly conflicts: readonly Conflict[] = [],
  ) {
    super(detail);
  }
}

/** Longest that an answer may take; a log that is followed has none. */
const ANSWER_MS = 20_000;
const path = encodeURIComponent;

export class Admin {
  #key: string | undefined;

  constructor(key: string | undefined) {
    this.#key = key;
  }

  use(key: string): void {
    this.#key = key;
  }

  curve(eventId: string, minutes: number): Promise<Curve> {
    return this.#json("GET", `/admin/events/${path(eventId)}/curve?minutes=${minutes}`);
  }

  stats(eventId: string): Promise<Statistics> {
    return this.#json("GET", `/admin/events/${path(eventId)}/stats`);
  }

  orders(minutes: number): Promise<Order[]> {
    return this.#json("GET", `/admin/orders?minutes=${minutes}`);
  }

  payments(minutes: number): Promise<Payments> {
    return this.#json("GET", `/admin/payments?minutes=${minutes}`);
  }

  trace(correlationId: string): Promise<Trace> {
    return this.#json("GET", `/admin/trace/${path(correlationId)}`);
  }

  outbox(): Promise<Outbox> {
    return this.#json("GET", "/admin/outbox");
  }

  /** What Prometheus reads; nothing where the process does not serve it here. */
  async metrics(): Promise<string | undefined> {
    try {
      return await (await this.ask("GET", "/metrics")).text();
    } catch (error) {
      if (error instanceof Refused && error.status === 404) return undefined;
      throw error;
    }
  }

  /** For somebody; `blocked` seats too, in one step. */
  hold(eventId: string, userId: string, seats: string[], blocked: boolean, wish: string): Promise<Hold> {
    return this.#json("POST", `/admin/events/${path(eventId)}/holds`, { userId, seats, ...(blocked && { blocked }) }, wish);
  }

  /** Paid for at the counter. */
  sell(holdId: string, wish: string): Promise<Reserved> {
    return this.#json("POST", `/admin/holds/${path(holdId)}/reserve`, { paidBy: "counter" }, wish);
  }

  release(holdId: string, note: string): Promise<Released> {
    return this.#json("DELETE", `/admin/holds/${path(holdId)}${noted(note)}`);
  }

  cancel(reservationId: string, note: string): Promise<Released> {
    return this.#json("DELETE", `/admin/reservations/${path(reservationId)}${noted(note)}`);
  }

  block(eventId: string, seats: string[], reason: string): Promise<unknown> {
    return this.#json("POST", `/admin/events/${path(eventId)}/blocks`, { seats, reason });
  }

  unblock(eventId: string, seats: string[]): Promise<unknown> {
    return this.#json("DELETE", `/admin/events/${path(eventId)}/blocks`, { seats });
  }

  async #json<T>(method: string, address: string, body?: object, wish?: string): Promise<T> {
    return (await (await this.ask(method, address, { body, wish })).json()) as T;
  }

  /** Sends a request; an answer that is no success is thrown. */
  async ask(
    method: string,
    address: string,
    { body, wish, signal }: { body?: object | undefined; wish?: string | undefined; signal?: AbortSignal } = {},
  ): Promise<Response> {
    const headers: Record<string, string> = {};
    if (this.#key !== undefined) headers.authorization = `Bearer ${this.#key}`;
    if (body !== undefined) headers["content-type"] = "application/json";
    if (wish !== undefined) headers["idempotency-key"] = wish;
    const limit = signal ?? AbortSignal.timeout(ANSWER_MS);
    const init: RequestInit = { method, headers, signal: limit, cache: "no-store" };
    if (body !== undefined) init.body = JSON.stringify(body);
    let answer: Response;
    try {
      answer = await fetch(address, init);
    } catch (error) {
      throw new Refused(0, "UNREACHABLE", error instanceof Error ? error.message : "");
    }
    if (answer.ok) return answer;
    const told = (await answer.json().catch(() => ({}))) as { code?: string; detail?: string; conflicts?: Conflict[] };
    throw new Refused(answer.status, told.code ?? "UNKNOWN", told.detail ?? answer.statusText, told.conflicts);
  }
}

const noted = (note: string) => (note === "" ? "" : `?note=${path(note)}`);
