// One SeatingEvent kept up to date: what it is, its chart, and what every seat is now.
import type { Chart, Status } from "./chart";

export type Phase = "Pending" | "Scheduled" | "OnSale" | "SoldOut" | "Closed";

/** What a show is beside its seats: `GET /events/{eventId}`. Times are Unix milliseconds. */
export interface Summary {
  eventId: string;
  title: string;
  startsAt: number;
  phase: Phase;
  sales: { opensAt?: number; closesAt?: number; paused: boolean; cancelUntil?: number };
  limits?: { seatsPerUser?: number };
}

export interface SectionCounts {
  sectionId: string;
  available: number;
  held: number;
  reserved: number;
  blocked: number;
}

/** What changed, after it was applied. */
export type Listener = (places: ReadonlyArray<[number, Status]>) => void;

export interface Source {
  /** Where the query side answers; "" is the page's own origin. */
  base: string;
  eventId: string;
  fetch?: typeof fetch;
}

export class LiveShow {
  summary: Summary | undefined = $state.raw();
  chart: Chart | undefined = $state.raw();
  /** In the order of the chart's sections; at most four updates a second. */
  counts: SectionCounts[] = $state.raw([]);
  connection: "connecting" | "live" | "lost" = $state("connecting");
  /** How old what is shown is, in milliseconds; it grows while the connection is lost. */
  ageMs = $state(0);
  sequence = $state(0);
  epoch = $state(0);
  /** Code of what keeps the show from being shown, such as EVENT_NOT_FOUND. */
  problem: string | undefined = $state();
  /** One byte a place; not reactive: use onChanges. */
  statuses = new Uint8Array(0);

  constructor(readonly source: Source) {}

  onChanges(_listener: Listener): () => void {
    return () => {};
  }

  start(): void {}

  stop(): void {}
}
