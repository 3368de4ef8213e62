// What the log tells of a show beside its seats: whose a hold is, what a reservation's chain is called, holds by minute.
// The end of the log is followed from now on; what was before is read when somebody asks for it, or where it is short.
import type { Admin } from "./api";
import { minuteOf } from "./minutes";

/** A domain event, as far as it is looked at. */
export interface Fact {
  eventType: string;
  timestamp: number;
  payload: { seatId?: string; userId?: string; holdId?: string; reservationId?: string };
  metadata: { correlationId: string; sequence?: number };
}

/** Who has a seat. */
export interface Claim {
  userId: string;
  holdId: string;
  reservationId?: string;
}

/** Chains that are remembered, the newest of them: more than orders are listed. */
const CHAINS = 20_000;
/** Facts that are kept until history is read: what comes while it is read, and more. */
const RECENT = 20_000;
/** How long to wait before the log's end is followed again. */
const AGAIN_MS = 2_000;
/** Holds by minute go back a week, as sales do. */
const MINUTES = 10_080;

export class Ledger {
  /** By minute, in milliseconds: how many seats were held in it. Not reactive: `version` tells that it changed. */
  readonly holds = new Map<number, number>();
  /** Grows when `holds` changed, at most once a second. */
  version = $state(0);
  /** Whether the log was read from its beginning. */
  isWhole = $state(false);
  isReading = $state(false);
  readonly #claims = new Map<string, Claim>();
  readonly #chains = new Map<string, string>();
  readonly #admin: Admin;
  readonly #address: string;
  readonly #stop = new AbortController();
  #telling: ReturnType<typeof setTimeout> | undefined;
  /** Holds that were told while the log's end was followed: which of them history tells too is seen by their sequence. */
  #recent: Fact[] = [];
  #history: Promise<void> | undefined;

  constructor(admin: Admin, eventId: string) {
    this.#admin = admin;
    this.#address = `/admin/log?event=${encodeURIComponent(eventId)}`;
  }

  start(): void {
    void this.#follow();
  }

  stop(): void {
    this.#stop.abort();
    clearTimeout(this.#telling);
  }

  claim(seatId: string): Claim | undefined {
    return this.#claims.get(seatId);
  }

  /** Seats that one hold or reservation has. */
  seatsOf(claim: Claim): string[] {
    const same = ([, other]: [string, Claim]) =>
      claim.reservationId === undefined ? other.holdId === claim.holdId : other.reservationId === claim.reservationId;
    return [...this.#claims].filter(same).map(([seatId]) => seatId);
  }

  /** The chain that a reservation came of: what was told, or what the log has. */
  async chainOf(reservationId: string): Promise<string | undefined> {
    if (!this.#chains.has(reservationId)) await this.readWhole();
    return this.#chains.get(reservationId);
  }

  /** Who has a seat, as `chainOf`. */
  async claimOf(seatId: string): Promise<Claim | undefined> {
    if (!this.#claims.has(seatId)) await this.readWhole();
    return this.#claims.get(seatId);
  }

  /** Reads the log from its beginning, once. */
  readWhole(): Promise<void> {
    this.#history ??= this.#readWhole().catch((error: unknown) => {
      this.#history = undefined;
      throw error;
    });
    return this.#history;
  }

  async #readWhole(): Promise<void> {
    this.isReading = true;
    try {
      const claims = new Map<string, Claim>();
      const holds = new Map<number, number>();
      let last = 0;
      await this.#read(`${this.#address}&from=earliest&follow=false`, (fact) => {
        last = Math.max(last, fact.metadata.sequence ?? 0);
        this.#chain(fact);
        claimed(claims, fact);
        if (fact.eventType === "seat.held") count(holds, fact);
      });
      const after = this.#recent.filter(({ metadata }) => (metadata.sequence ?? 0) > last);
      for (const fact of after) {
        claimed(claims, fact);
        if (fact.eventType === "seat.held") count(holds, fact);
      }
      this.#claims.clear();
      for (const [seatId, claim] of claims) this.#claims.set(seatId, claim);
      this.holds.clear();
      for (const [minute, n] of holds) this.holds.set(minute, n);
      this.#recent = [];
      this.isWhole = true;
      this.version++;
    } finally {
      this.isReading = false;
    }
  }

  /** Follows the end of the log until it is stopped; a connection that ends is made again. */
  async #follow(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      try {
        await this.#read(`${this.#address}&from=latest`, (fact) => {
          if (!this.isWhole && this.#recent.push(fact) > RECENT) this.#recent.shift();
          this.#chain(fact);
          claimed(this.#claims, fact);
          if (fact.eventType !== "seat.held") return;
          count(this.holds, fact);
          this.#telling ??= setTimeout(() => this.#tell(), 1_000);
          if (this.holds.size > MINUTES) this.holds.delete(this.holds.keys().next().value ?? 0);
        });
      } catch {
        // The process is away, or refuses; other parts of the page say so.
      }
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  }

  #tell(): void {
    this.#telling = undefined;
    this.version++;
  }

  #chain({ eventType, payload, metadata }: Fact): void {
    if (eventType !== "reservation.created" || payload.reservationId === undefined) return;
    this.#chains.set(payload.reservationId, metadata.correlationId);
    if (this.#chains.size > CHAINS) this.#chains.delete(this.#chains.keys().next().value ?? "");
  }

  async #read(address: string, take: (fact: Fact) => void): Promise<void> {
    const answer = await this.#admin.ask("GET", address, { signal: this.#stop.signal });
    if (answer.body === null) return;
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const lines = (rest + value).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) if (line !== "") take(JSON.parse(line) as Fact);
    }
  }
}

function count(holds: Map<number, number>, { timestamp }: Fact): void {
  const minute = minuteOf(timestamp);
  holds.set(minute, (holds.get(minute) ?? 0) + 1);
}

/** Who has which seat after a domain event. */
export function claimed(claims: Map<string, Claim>, { eventType, payload }: Fact): void {
  const { seatId, userId = "", holdId = "", reservationId } = payload;
  if (seatId === undefined) return;
  if (eventType === "seat.held") claims.set(seatId, { userId, holdId });
  else if (eventType === "seat.reserved") claims.set(seatId, { userId, holdId, ...(reservationId && { reservationId }) });
  else if (eventType === "seat.released") claims.delete(seatId);
}
