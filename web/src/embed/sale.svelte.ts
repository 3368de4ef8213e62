// What happens between a buyer and an embedded map: chosen, held, reserved. Everything is told to the page around it.
import { clock } from "../app/clock.svelte";
import { Commands, newWish, Problem } from "../commands/client";
import type { Choice, ClaimedSeat, Hold, Reserved, Web } from "../commands/types";
import type { Section, Status } from "../live/chart";
import type { OnTime } from "../dates";
import { LiveShow } from "../live/show.svelte";

export interface ChosenSeat {
  seatId: string;
  sectionId: string;
  /** Undefined for a unit of an area. */
  row: string | undefined;
  number: string;
  priceCategory: string;
  price: number;
}

export interface Chosen {
  seats: ChosenSeat[];
  areas: { sectionId: string; quantity: number; priceCategory: string; price: number }[];
  total: number;
  currency: string;
}

/** Events of the element, with their details. */
export interface Told {
  "seats-chosen": Chosen;
  held: Hold;
  reserved: Reserved;
  released: { holdId: string };
  /** Seats that somebody else was faster at. */
  conflict: { seatIds: string[] };
  expired: { holdId: string };
  problem: { code: string; detail: string };
}

export interface SaleOptions {
  base: string;
  eventId: string;
  max(): number;
  headers(): Record<string, string>;
  tell<K extends keyof Told>(name: K, detail: Told[K]): void;
}

export class EmbeddedSale {
  readonly show: LiveShow;
  /** Places. */
  chosen: ReadonlySet<number> = $state.raw(new Set<number>());
  /** Units by the id of their area. */
  areas: ReadonlyMap<string, number> = $state.raw(new Map<string, number>());
  hold: Hold | undefined = $state.raw();
  reserved: Reserved | undefined = $state.raw();
  lost: ReadonlySet<number> = $state.raw(new Set<number>());
  /** Code of what went wrong last. */
  problem: string | undefined = $state();
  isBusy = $state(false);
  now = $state(clock.exact);

  readonly #options: SaleOptions;
  #commands: Promise<Commands> | undefined;
  #wish: { choice: string; key: string } | undefined;
  /** A reservation that was asked for; its answer may be lost. */
  #reserving: { holdId: string; key: string; isLost: boolean } | undefined;
  #stop: (() => void)[] = [];
  readonly #ontime: OnTime = (date, sentAt) => clock.heard(date, sentAt);

  constructor(options: SaleOptions) {
    this.#options = options;
    this.show = new LiveShow({ base: options.base, eventId: options.eventId, ontime: this.#ontime });
  }

  start(): void {
    this.show.start();
    const clock = setInterval(() => this.#tick(), 500);
    this.#stop = [this.show.onChanges((places) => this.#changed(places)), () => clearInterval(clock), () => this.show.stop()];
  }

  stop(): void {
    for (const stop of this.#stop.splice(0)) stop();
  }

  get mine(): ReadonlySet<number> {
    const { chart } = this.show;
    const seats: ClaimedSeat[] = [...(this.hold?.seats ?? []), ...(this.reserved?.seats ?? [])];
    return new Set(seats.map(({ seatId }) => chart?.place(seatId)).filter((place) => place !== undefined));
  }

  get count(): number {
    return this.chosen.size + [...this.areas.values()].reduce((sum, units) => sum + units, 0);
  }

  /** How many more may be chosen. */
  get room(): number {
    return this.#options.max() - this.count;
  }

  get remaining(): number {
    return this.hold ? Math.max(0, this.hold.expiresAt - this.now) : 0;
  }

  toggle(place: number): void {
    const { chart } = this.show;
    if (!chart || this.hold || this.isBusy) return;
    const chosen = new Set(this.chosen);
    if (!chosen.delete(place)) {
      if (this.show.statuses[place] !== 0 || this.room <= 0) return void (this.problem = this.room <= 0 ? "TOO_MANY" : this.problem);
      chosen.add(place);
    }
    this.problem = undefined;
    this.reserved = undefined;
    this.lost = new Set();
    this.chosen = chosen;
    this.#options.tell("seats-chosen", this.choice());
  }

  setArea(section: Section, quantity: number): void {
    if (this.hold || this.isBusy) return;
    const areas = new Map(this.areas);
    const others = this.count - (areas.get(section.id) ?? 0);
    const units = Math.max(0, Math.min(quantity, this.#options.max() - others));
    if (units > 0) areas.set(section.id, units);
    else areas.delete(section.id);
    this.reserved = undefined;
    this.areas = areas;
    this.#options.tell("seats-chosen", this.choice());
  }

  /** What is chosen now, with prices. */
  choice(): Chosen {
    const { chart } = this.show;
    if (!chart) return { seats: [], areas: [], total: 0, currency: "" };
    const priceOf = ({ priceCategory }: Section) => {
      const category = chart.priceCategories[priceCategory]!;
      return { priceCategory: category.name, price: category.amount };
    };
    const seats = [...this.chosen].map((place): ChosenSeat => {
      const section = chart.section(place);
      const [row, number] = [chart.row(place)?.name, chart.number(place)];
      return { seatId: chart.seatId(place), sectionId: section.id, row, number, ...priceOf(section) };
    });
    const areas = [...this.areas].map(([sectionId, quantity]) => {
      return { sectionId, quantity, ...priceOf(chart.sectionById(sectionId)!) };
    });
    const total = seats.reduce((sum, { price }) => sum + price, 0) + areas.reduce((sum, { price, quantity }) => sum + price * quantity, 0);
    return { seats, areas, total, currency: chart.priceCategories[0]?.currency ?? "" };
  }

  /** Holds what is chosen, all or none. */
  holdChosen(): Promise<Hold | undefined> {
    return this.#do(async (commands) => {
      const { seats, areas } = this.choice();
      const choice: Choice = {};
      if (seats.length > 0) choice.seats = seats.map(({ seatId }) => seatId);
      if (areas.length > 0) choice.areas = areas.map(({ sectionId, quantity }) => ({ sectionId, quantity }));
      if (this.count === 0) return undefined;
      // The same choice again is the same wish.
      const wanted = JSON.stringify(choice);
      if (this.#wish?.choice !== wanted) this.#wish = { choice: wanted, key: newWish() };
      const answer = await commands.hold(this.#options.eventId, choice, this.#wish.key);
      this.#wish = undefined;
      this.chosen = new Set();
      this.areas = new Map();
      if ("reservationId" in answer) {
        this.#reservedAs(answer);
        return undefined;
      }
      this.now = clock.exact;
      this.hold = answer;
      this.#options.tell("held", answer);
      return answer;
    });
  }

  /** Reserves what is held. */
  reserve(): Promise<Reserved | undefined> {
    return this.#do(async (commands) => {
      if (!this.hold) return undefined;
      const { holdId } = this.hold;
      if (this.#reserving?.holdId !== holdId) this.#reserving = { holdId, key: newWish(), isLost: false };
      const wish = this.#reserving;
      try {
        const answer = await commands.reserve(holdId, wish.key);
        this.#reservedAs(answer);
        return answer;
      } catch (cause) {
        wish.isLost = cause instanceof Problem && cause.retryable;
        throw cause;
      }
    });
  }

  /** Gives back what is held. */
  release(): Promise<void> {
    return this.#do(async (commands) => {
      const { hold } = this;
      if (!hold) return;
      await commands.release(hold.holdId);
      this.hold = undefined;
      this.#options.tell("released", { holdId: hold.holdId });
    }).then(() => undefined);
  }

  #reservedAs(reserved: Reserved): void {
    this.hold = undefined;
    this.reserved = reserved;
    this.#options.tell("reserved", reserved);
  }

  async #do<T>(work: (commands: Commands) => Promise<T>): Promise<T | undefined> {
    if (this.isBusy) return undefined;
    this.isBusy = true;
    this.problem = undefined;
    try {
      return await work(await this.#ready());
    } catch (cause) {
      this.#failed(cause instanceof Problem ? cause : new Problem("UNEXPECTED", 0, String(cause), false));
      return undefined;
    } finally {
      this.isBusy = false;
    }
  }

  /** Where commands go is asked once. */
  #ready(): Promise<Commands> {
    const { base, headers } = this.#options;
    this.#commands ??= fetch(`${base}/web.json`, { signal: AbortSignal.timeout(15_000) })
      .then((response) => response.json() as Promise<Web>)
      .then(({ commandUrl }) => {
        const own = (commandUrl ?? base).replace(/\/$/, "");
        return new Commands({ base: own, headers, ontime: this.#ontime });
      })
      .catch((cause: unknown) => {
        this.#commands = undefined;
        throw new Problem("NETWORK", 0, String(cause), true);
      });
    return this.#commands;
  }

  #failed(problem: Problem): void {
    this.problem = problem.code;
    const { chart } = this.show;
    const seatIds = problem.conflicts.filter(({ mine }) => !mine).map(({ seatId }) => seatId);
    if (seatIds.length > 0) {
      const places = seatIds.map((seatId) => chart?.place(seatId)).filter((place) => place !== undefined);
      this.lost = new Set(places);
      this.chosen = new Set([...this.chosen].filter((place) => !this.lost.has(place)));
      this.#options.tell("conflict", { seatIds });
      this.#options.tell("seats-chosen", this.choice());
    }
    const { hold } = this;
    if (["HOLD_EXPIRED", "HOLD_NOT_FOUND"].includes(problem.code)) this.hold = undefined;
    if (problem.code === "HOLD_EXPIRED" && hold) this.#options.tell("expired", { holdId: hold.holdId });
    this.#options.tell("problem", { code: problem.code, detail: problem.detail });
  }

  /** Somebody else took what was chosen. */
  #changed(places: readonly (readonly [number, Status])[]): void {
    if (this.isBusy || this.chosen.size === 0) return;
    const gone = places.filter(([place, status]) => status !== 0 && this.chosen.has(place)).map(([place]) => place);
    if (gone.length === 0) return;
    this.lost = new Set([...this.lost, ...gone]);
    this.chosen = new Set([...this.chosen].filter((place) => !gone.includes(place)));
    this.#options.tell("conflict", { seatIds: gone.map((place) => this.show.chart!.seatId(place)) });
    this.#options.tell("seats-chosen", this.choice());
  }

  #tick(): void {
    if (!this.hold) return;
    this.now = clock.exact;
    if (this.now < this.hold.expiresAt || this.isBusy) return;
    const { holdId } = this.hold;
    // It may have been made: a repeat is told.
    if (this.#reserving?.holdId === holdId && this.#reserving.isLost) return void this.reserve();
    this.hold = undefined;
    this.problem = "HOLD_EXPIRED";
    this.#options.tell("expired", { holdId });
  }
}
