// One SeatingEvent kept up to date: what it is, its chart, and what every seat is now.
import type { OnTime } from "../dates";
import { breath } from "./breath";
import { Chart, STATUSES, type Status } from "./chart";
import { ChartReader } from "./chartReader";
import { Tally, type SectionCounts } from "./counts";
import type { Frame } from "./frames";
import { MEDIA_TYPE, unpack, type PackedMap } from "./packed";
import { read, ReadError } from "./reading";
import { backOff, Stream } from "./stream";

export type { SectionCounts };

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

/** What changed, after it was applied. */
export type Listener = (places: ReadonlyArray<[number, Status]>) => void;

export interface Source {
  /** Where the query side answers; "" is the page's own origin. */
  base: string;
  eventId: string;
  fetch?: typeof fetch;
  /** Told the service's time. */
  ontime?: OnTime;
}

/** How often counts are told anew, at most. */
const COUNTS_EVERY = 250;
/** How often what is no part of the stream is read again: title, phase, sales. */
const SUMMARY_EVERY = 20_000;
/** So often a map is asked for that is not older than a sequence; who has not got there by then has another past. */
const PATIENT = 2;
/** A tab may be hidden for so long before its stream is closed. */
const HIDDEN = 3_000;
/** Who comes back to a tab is told how old its map is, if the stream is not open again by then. */
const WAKING = 3_000;
const STATUS_OF = new Map<string, Status>(STATUSES.map((name, status) => [name, status as Status]));

export class LiveShow {
  summary: Summary | undefined = $state.raw();
  chart: Chart | undefined = $state.raw();
  /** In the order of the chart's sections; at most four updates a second. */
  counts: SectionCounts[] = $state.raw([]);
  connection: "connecting" | "live" | "lost" = $state("connecting");
  /** How old what is shown is, in milliseconds; it grows while the connection is lost. */
  ageMs = $state(0);
  sequence = $state.raw(0);
  epoch = $state.raw(0);
  /** Code of what keeps the show from being shown, such as EVENT_NOT_FOUND. */
  problem: string | undefined = $state();
  /** One byte a place; not reactive: use onChanges. */
  statuses = new Uint8Array(0);

  readonly #listeners = new Set<Listener>();
  readonly #fetch: typeof fetch;
  readonly #address: string;
  #tally = new Tally([]);
  #counting: ReturnType<typeof setTimeout> | undefined;
  #ticking: ReturnType<typeof setInterval> | undefined;
  #hiding: ReturnType<typeof setTimeout> | undefined;
  #stream: Stream | undefined;
  #stop: AbortController | undefined;
  #loading: AbortController | undefined;
  #seen = 0;
  #summarized = 0;
  /** Since when the stream is to go on in a tab that is looked at again. */
  #wokenAt: number | undefined;

  constructor(readonly source: Source) {
    this.#fetch = source.fetch ?? ((input, init) => fetch(input, init));
    this.#address = `${source.base}/events/${encodeURIComponent(source.eventId)}`;
  }

  onChanges(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  start(): void {
    if (this.#stop) return;
    this.#stop = new AbortController();
    if (typeof document !== "undefined") document.addEventListener("visibilitychange", this.#visibility);
    if (typeof window !== "undefined") window.addEventListener("online", this.#online);
    this.#ticking = setInterval(() => this.#tick(), 1000);
    this.#reload();
  }

  stop(): void {
    this.#stop?.abort();
    this.#stop = undefined;
    this.#close();
    clearInterval(this.#ticking);
    clearTimeout(this.#counting);
    clearTimeout(this.#hiding);
    this.#counting = undefined;
    if (typeof document !== "undefined") document.removeEventListener("visibilitychange", this.#visibility);
    if (typeof window !== "undefined") window.removeEventListener("online", this.#online);
  }

  /** Loads anew; whatever was being loaded is not waited for. `after`: not older than this sequence. */
  #reload(after?: number): void {
    if (!this.#stop) return;
    this.#close();
    this.#loading?.abort();
    this.#loading = new AbortController();
    void this.#load(AbortSignal.any([this.#stop.signal, this.#loading.signal]), after);
  }

  /** Chart and map, tried until they are there; then the stream. */
  async #load(signal: AbortSignal, after?: number): Promise<void> {
    // Whoever begins it is showing itself.
    await breath();
    for (let tries = 1; !signal.aborted; tries++) {
      try {
        await this.#loadOnce(signal, tries <= PATIENT ? after : undefined);
        this.problem = undefined;
        return this.#open();
      } catch (error) {
        if (signal.aborted) return;
        const why = error instanceof ReadError ? error : new ReadError("INVALID_ANSWER");
        this.connection = this.chart ? "lost" : "connecting";
        if (!this.chart) this.problem = why.code;
        const wait = Math.max(why.retryAfter ?? 0, why.passes ? backOff(tries) : 10_000);
        await new Promise((resolve) => setTimeout(resolve, wait));
      }
    }
  }

  async #loadOnce(signal: AbortSignal, after?: number): Promise<void> {
    const since = after === undefined ? "" : `?after=${after}`;
    const [summary, chart, map] = await Promise.all([
      this.#readSummary(signal),
      this.#readChart(signal, after),
      read(this.#fetch, `${this.#address}/seats${since}`, { accept: MEDIA_TYPE }, signal),
    ]);
    const packed = unpack(await map.arrayBuffer());
    // The chart was replaced between the two answers: both are read again.
    if (packed.seatsHash !== chart.seatsHash || packed.statuses.length !== chart.total) {
      throw new ReadError("INVALID_ANSWER", 503);
    }
    const tally = new Tally(chart.sections, packed.statuses);
    this.summary = summary;
    // Whoever shows it does so in pieces: title and times, then the seats.
    await breath();
    signal.throwIfAborted();
    this.#take(chart, packed, tally);
    this.#sign(Number(map.headers.get("x-view-age") ?? 0));
  }

  async #readSummary(signal: AbortSignal): Promise<Summary> {
    const response = await read(this.#fetch, this.#address, {}, signal);
    this.#summarized = Date.now();
    return (await response.json()) as Summary;
  }

  async #readChart(signal: AbortSignal, after?: number): Promise<Chart> {
    const since = after === undefined ? "" : `?after=${after}`;
    const reader = new ChartReader();
    try {
      const response = await read(this.#fetch, `${this.#address}/chart${since}`, {}, signal);
      const text = await reader.read(await response.arrayBuffer(), signal);
      return new Chart(this.source.eventId, text);
    } finally {
      reader.close();
    }
  }

  /** A map in whole: what differs from the one before is told as changes. */
  #take(chart: Chart, map: PackedMap, tally: Tally): void {
    const before = this.statuses;
    const sameSeats = this.chart?.seatsHash === chart.seatsHash && before.length === map.statuses.length;
    this.statuses = map.statuses;
    this.sequence = map.sequence;
    this.epoch = map.epoch;
    this.#tally = tally;
    if (this.chart?.chartHash !== chart.chartHash) this.chart = chart;
    this.counts = this.#tally.counts();
    if (!sameSeats) return;
    const changes: [number, Status][] = [];
    for (let place = 0; place < before.length; place++) {
      const status = map.statuses[place] as Status;
      if (before[place] !== status) changes.push([place, status]);
    }
    this.#tell(changes);
  }

  #open(): void {
    if (this.#stream || !this.#stop) return;
    if (isHidden()) return;
    const stream: Stream = new Stream({
      address: `${this.#address}/stream`,
      fetch: this.#fetch,
      lastEventId: this.epoch > 0 ? `${this.epoch}-${this.sequence}` : String(this.sequence),
      onopen: (sequence, epoch) => {
        // It is behind, or it has another past: a map that is not older than ours is asked for, then any.
        if (this.#stream === stream && (sequence < this.sequence || epoch !== this.epoch)) this.#reload(this.sequence);
      },
      onframe: (frame) => this.#stream === stream && this.#frame(frame),
      onsign: (age) => this.#stream === stream && this.#sign(age),
      ontime: this.source.ontime,
      onlost: () => this.#stream === stream && (this.connection = "lost"),
      onend: (error) => {
        if (this.#stream !== stream) return;
        this.problem = error.code;
        this.#reload();
      },
    });
    this.#stream = stream;
    void stream.follow();
  }

  #close(): void {
    this.#stream?.close();
    this.#stream = undefined;
  }

  #frame({ event, data }: Frame): void {
    if (event === "changes") {
      const told = JSON.parse(data) as { sequence: number; epoch: number; changes: [number, string][] };
      if (told.epoch !== this.epoch) return this.#reload();
      this.sequence = told.sequence;
      this.#apply(told.changes);
    } else if (event === "definition") {
      const told = JSON.parse(data) as { chartHash: string };
      // Title and sales may have changed with it.
      this.#summarized = 0;
      if (told.chartHash !== this.chart?.chartHash) this.#reload(this.sequence);
    } else if (event === "reset") {
      this.#reload((JSON.parse(data) as { sequence: number }).sequence);
    }
  }

  #apply(told: [number, string][]): void {
    const changes: [number, Status][] = [];
    for (const [place, name] of told) {
      const status = STATUS_OF.get(name);
      const before = this.statuses[place] as Status | undefined;
      if (status === undefined || before === undefined || before === status) continue;
      this.statuses[place] = status;
      this.#tally.change(this.chart!.sectionIndex(place), before, status);
      changes.push([place, status]);
    }
    this.#tell(changes);
  }

  #tell(changes: [number, Status][]): void {
    if (changes.length === 0) return;
    for (const listener of this.#listeners) listener(changes);
    this.#counting ??= setTimeout(() => {
      this.#counting = undefined;
      this.counts = this.#tally.counts();
    }, COUNTS_EVERY);
  }

  /** The connection lives, and what it told was so old. */
  #sign(age: number): void {
    this.#seen = Date.now() - age;
    this.#wokenAt = undefined;
    this.connection = "live";
    this.ageMs = age;
  }

  #tick(): void {
    if (this.#wokenAt !== undefined && Date.now() - this.#wokenAt > WAKING) this.connection = "lost";
    if (this.connection === "lost") this.ageMs = Date.now() - this.#seen;
    const stop = this.#stop;
    if (!stop || !this.summary || isHidden() || Date.now() - this.#summarized < SUMMARY_EVERY) return;
    this.#summarized = Date.now();
    this.#readSummary(stop.signal).then(
      (summary) => (this.summary = summary),
      // The stream says that the connection is lost; this is tried again anyway.
      () => {},
    );
  }

  readonly #online = () => this.#stream?.hurry();

  /** A hidden tab follows nothing; a tab that is shown again goes on behind what it had. */
  readonly #visibility = () => {
    clearTimeout(this.#hiding);
    this.#wokenAt = undefined;
    if (isHidden()) this.#hiding = setTimeout(() => this.#close(), HIDDEN);
    else if (this.chart && !this.#stream) {
      this.#wokenAt = Date.now();
      this.#open();
    }
  };
}

function isHidden(): boolean {
  return typeof document !== "undefined" && document.hidden;
}
