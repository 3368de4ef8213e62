// One buyer's cart of one show: a hold that is clicked together. Commands go one after the other; seats clicked meanwhile go together in the next.
import { newWish, Problem, type Commands } from "../commands/client";
import type { BestAvailable, Choice, ClaimedSeat, Conflict, Hold, Released, Reserved } from "../commands/types";
import { partsOf } from "./seatName";

/** What the cart needs of the page. */
export interface CartContext {
  commands: Commands;
  eventId: string;
  /** Asks who buys, if that is not known; false if the buyer would not say. */
  signIn(): Promise<boolean>;
  /** The service no longer believes who one is. */
  forgotten(): void;
  /** One's own hold of this show, wherever it was made. */
  findHold(): Promise<string | undefined>;
  /** Seats of this show that one has reserved, wherever that was done. */
  findOwned(): Promise<ReadonlySet<string>>;
  /** What happened, for those who listen rather than look. */
  said(happening: Happening): void;
}

export type Happening =
  | { kind: "added"; seatIds: string[]; hold: Hold }
  | { kind: "released"; seatIds: string[] }
  | { kind: "lost"; lost: Lost }
  | { kind: "ended"; seatIds: string[] }
  | { kind: "elsewhere"; seatIds: string[] }
  | { kind: "extended"; hold: Hold; isMost: boolean }
  | { kind: "reserved"; reserved: Reserved }
  | { kind: "problem"; problem: Problem };

/** Seats that somebody else got first, or one that would be left single. */
export interface Lost {
  conflicts: readonly Conflict[];
  /** What was asked for and is not held either, for it was all or none. */
  asked: readonly string[];
  isGap: boolean;
}

type Work = "choose" | "best" | "area" | "release" | "extend" | "reserve";

const idsOf = (seats: readonly { seatId: string }[]) => seats.map(({ seatId }) => seatId);

export class Cart {
  hold = $state.raw<Hold>();
  /** Seats whose answer has not come. */
  asked: ReadonlySet<string> = $state.raw(new Set());
  leaving: ReadonlySet<string> = $state.raw(new Set());
  lost = $state.raw<Lost>();
  /** The seats of a hold whose time was up. */
  ended: readonly ClaimedSeat[] = $state.raw([]);
  /** It ended before its time: it was taken back. */
  isCutShort = $state(false);
  problem = $state.raw<Problem>();
  /** Repeats what failed, under the same Idempotency-Key. */
  retry = $state.raw<() => void>();
  /** What best available could not do. */
  refused = $state.raw<BestAvailable>();
  /** Best available found seats, and not all of them are neighbours. */
  isApart = $state(false);
  /** No extension goes further. */
  isMost = $state(false);
  working = $state<Work>();
  reservation = $state.raw<Reserved>();
  /** Seats of this show that one has already. */
  owned: ReadonlySet<string> = $state.raw(new Set());

  readonly #context: CartContext;
  #wanted = new Set<string>();
  #line: Promise<void> = Promise.resolve();
  /** There may be a hold that is not known here: nobody has looked yet, or an answer was lost. */
  #isInDoubt = true;
  /** Under which key a choice is wished for, and into which hold: a repeat keeps both. */
  #wishes = new WeakMap<Choice, { key: string; holdId?: string }>();
  /** A reservation whose answer was lost. Whether it was made is told to a repeat, also when the hold's time is up. */
  #doubt: { repeat: () => Promise<void>; isAsked: boolean } | undefined;

  constructor(context: CartContext) {
    this.#context = context;
  }

  get seats(): readonly ClaimedSeat[] {
    return this.hold?.seats ?? [];
  }

  has(seatId: string): boolean {
    return this.seats.some((seat) => seat.seatId === seatId);
  }

  /** Takes a seat, or gives it back. */
  toggle(seatId: string): Promise<void> {
    if (this.has(seatId)) return this.remove([seatId]);
    if (this.#wanted.delete(seatId)) {
      this.asked = without(this.asked, [seatId]);
      return this.#line;
    }
    return this.take([seatId]);
  }

  /** Seats by their ids, in one go with others that wait. */
  take(seatIds: readonly string[]): Promise<void> {
    this.dismiss();
    const fresh = seatIds.filter((seatId) => !this.has(seatId) && !this.asked.has(seatId));
    for (const seatId of fresh) this.#wanted.add(seatId);
    this.asked = new Set([...this.asked, ...fresh]);
    // Chosen when its turn comes, once: a repeat wishes for the same.
    let choice: (Choice & { seats: string[] }) | undefined;
    return this.#queue("choose", async () => {
      choice ??= { seats: [...this.#wanted] };
      for (const seatId of choice.seats) this.#wanted.delete(seatId);
      if (choice.seats.length === 0) return;
      try {
        await this.#add(choice);
      } finally {
        this.asked = without(this.asked, choice.seats);
      }
    });
  }

  /** Somebody else got a seat in the moment in which it was asked for here. */
  missed(conflict: Conflict): void {
    this.dismiss();
    this.lost = { conflicts: [conflict], asked: [], isGap: false };
    this.#context.said({ kind: "lost", lost: this.lost });
  }

  area(sectionId: string, quantity: number): Promise<void> {
    this.dismiss();
    const choice: Choice = { areas: [{ sectionId, quantity }] };
    return this.#queue("area", () => this.#add(choice));
  }

  best(best: BestAvailable): Promise<void> {
    this.dismiss();
    const choice: Choice = { bestAvailable: best };
    return this.#queue("best", () => this.#add(choice));
  }

  /** What a hold had whose time is up, or whose payment failed: seats by name, units of areas by count. */
  again(seats: readonly { seatId: string; sectionId: string }[]): Promise<void> {
    this.dismiss();
    this.reservation = undefined;
    const units = new Map<string, number>();
    const named: string[] = [];
    for (const { seatId, sectionId } of seats) {
      if (partsOf(seatId).row === undefined) units.set(sectionId, (units.get(sectionId) ?? 0) + 1);
      else named.push(seatId);
    }
    const choice: Choice = {};
    if (named.length > 0) choice.seats = named;
    if (units.size > 0) choice.areas = [...units].map(([sectionId, quantity]) => ({ sectionId, quantity }));
    return this.#queue("choose", () => this.#add(choice));
  }

  remove(seatIds: readonly string[]): Promise<void> {
    this.dismiss();
    this.leaving = new Set([...this.leaving, ...seatIds]);
    return this.#queue("release", async () => {
      try {
        const { commands } = this.#context;
        const gone = seatIds.filter((seatId) => this.has(seatId));
        const { hold } = this;
        if (hold === undefined || gone.length === 0) return;
        if (gone.length === hold.seats.length) {
          await commands.release(hold.holdId);
          this.hold = undefined;
        } else {
          for (const seatId of gone) this.#shrink(hold, await commands.releaseSeat(seatId), seatId);
        }
        this.#context.said({ kind: "released", seatIds: gone });
      } finally {
        this.leaving = without(this.leaving, seatIds);
      }
    });
  }

  clear(): Promise<void> {
    return this.remove(idsOf(this.seats));
  }

  extend(): Promise<void> {
    this.dismiss();
    const wish = newWish();
    return this.#queue("extend", async () => {
      const { hold } = this;
      if (hold === undefined) return;
      const longer = await this.#context.commands.extend(hold.holdId, undefined, wish);
      // Nothing was given: the SeatingEvent's longest is reached.
      this.isMost = longer.expiresAt - hold.expiresAt < 1000;
      this.hold = longer;
      this.#context.said({ kind: "extended", hold: longer, isMost: this.isMost });
    });
  }

  reserve(): Promise<void> {
    this.dismiss();
    const wish = newWish();
    // Of the hold that there is when its turn comes: a repeat means the same.
    let holdId: string | undefined;
    const run = async (): Promise<void> => {
      holdId ??= this.hold?.holdId;
      if (holdId === undefined) return;
      try {
        this.#reserved(await this.#context.commands.reserve(holdId, wish));
        this.#doubt = undefined;
      } catch (cause) {
        const isLost = cause instanceof Problem && cause.retryable;
        this.#doubt = isLost ? { repeat: () => this.#queue("reserve", run), isAsked: false } : undefined;
        throw cause;
      }
    };
    return this.#queue("reserve", run);
  }

  /** Takes up one's own hold: after a reload, from another tab, or one whose answer was lost. */
  restore(): Promise<void> {
    return this.#queue(undefined, () => this.#restore());
  }

  /** Somebody else buys from now on. */
  forget(): void {
    this.dismiss();
    this.hold = undefined;
    this.reservation = undefined;
    this.owned = new Set();
    this.#doubt = undefined;
    this.#isInDoubt = true;
  }

  /**
   * Something may have been done elsewhere: some seat of the hold changed on the map, or the tab was not looked at. Staff take
   * holds back, and the same buyer goes on in another tab.
   */
  check(): Promise<void> {
    return this.#queue(undefined, async () => {
      const { hold } = this;
      if (hold === undefined) return this.#restore();
      try {
        this.#took(await this.#context.commands.readHold(hold.holdId));
      } catch (cause) {
        if (!(cause instanceof Problem) || cause.code !== "HOLD_NOT_FOUND") throw cause;
        const owned = await this.#context.findOwned();
        const reserved = idsOf(hold.seats).filter((seatId) => owned.has(seatId));
        if (reserved.length === 0) throw cause;
        this.owned = new Set([...this.owned, ...owned]);
        this.#doubt = undefined;
        this.hold = undefined;
        this.isApart = false;
        this.#context.said({ kind: "elsewhere", seatIds: reserved });
      }
    });
  }

  /** Ends the hold when its time is up; equal to the deadline is up. While it is being reserved, or may have been, the service says. */
  tick(now: number): void {
    if (this.hold === undefined || now < this.hold.expiresAt || this.working === "reserve") return;
    if (this.#doubt === undefined) return this.#end();
    if (this.#doubt.isAsked) return;
    this.#doubt.isAsked = true;
    void this.#doubt.repeat();
  }

  dismiss(): void {
    this.lost = undefined;
    this.problem = undefined;
    this.retry = undefined;
    this.refused = undefined;
    this.ended = [];
  }

  /** Runs after all that was asked for before, and keeps what went wrong, with the way to repeat it. */
  #queue(work: Work | undefined, run: () => Promise<void>): Promise<void> {
    const attempt = async () => {
      try {
        if (work !== undefined) {
          if (!(await this.#context.signIn())) return this.#drop();
          this.working = work;
        }
        try {
          await run();
        } catch (cause) {
          // A token's time was over: whoever signs in again goes on with the same wish.
          if (work === undefined || !(cause instanceof Problem) || cause.code !== "UNAUTHENTICATED") throw cause;
          this.#context.forgotten();
          if (!(await this.#context.signIn())) return this.#drop();
          await run();
        }
      } catch (cause) {
        if (!(cause instanceof Problem)) throw cause;
        const again = () => {
          this.dismiss();
          void this.#queue(work, run);
        };
        this.#failed(cause, work === undefined ? undefined : again);
      } finally {
        this.working = undefined;
      }
    };
    this.#line = this.#line.then(attempt, attempt);
    return this.#line;
  }

  #drop(): void {
    this.#doubt = undefined;
    this.#wanted.clear();
    this.asked = new Set();
    this.leaving = new Set();
  }

  /** What nobody asked for fails without a word; it is tried again with the next wish. */
  #failed(problem: Problem, retry: (() => void) | undefined): void {
    if (problem.code === "HOLD_EXPIRED" || problem.code === "HOLD_NOT_FOUND") return this.#end(problem.code === "HOLD_NOT_FOUND");
    if (retry === undefined) return;
    this.problem = problem;
    this.retry = problem.retryable ? retry : undefined;
    this.#context.said({ kind: "problem", problem });
  }

  /** One wish: into the hold, or into a new one. What stands in its way is told, and the rest of named seats is taken. */
  async #add(choice: Choice): Promise<void> {
    if (this.hold === undefined && this.#isInDoubt) {
      try {
        await this.#restore();
      } catch (cause) {
        // Buying does not wait for what one may have besides.
        if (!(cause instanceof Problem)) throw cause;
      }
    }
    const wish = this.#wishes.get(choice) ?? { key: newWish(), holdId: this.hold?.holdId };
    this.#wishes.set(choice, wish);
    try {
      const { commands, eventId } = this.#context;
      const answer =
        wish.holdId === undefined
          ? await commands.hold(eventId, choice, wish.key)
          : await commands.addToHold(wish.holdId, choice, wish.key);
      if ("reservationId" in answer) return this.#reserved(answer);
      this.isApart = choice.bestAvailable !== undefined && choice.bestAvailable.quantity > 1 && !answer.together;
      this.#took(answer, true);
    } catch (cause) {
      if (!(cause instanceof Problem)) throw cause;
      await this.#refused(choice, wish.holdId, cause);
    }
  }

  async #refused(choice: Choice, holdId: string | undefined, problem: Problem): Promise<void> {
    const isOver = problem.code === "HOLD_EXPIRED" || problem.code === "HOLD_NOT_FOUND";
    if (isOver && holdId !== undefined) {
      // The cart was over; what is wished for now begins a new one.
      const { seats } = this;
      this.#end();
      await this.#add({ ...choice });
      if (this.hold === undefined) this.ended = seats;
      return;
    }
    if (problem.code === "NOT_ENOUGH_SEATS" && choice.bestAvailable) {
      this.refused = choice.bestAvailable;
      this.#context.said({ kind: "problem", problem });
      return;
    }
    if (problem.code !== "SEAT_NOT_AVAILABLE" || problem.conflicts.length === 0) {
      if (problem.retryable && holdId === undefined) this.#isInDoubt = true;
      throw problem;
    }
    const asked = choice.seats ?? [];
    const isGap = problem.conflicts.some(({ reason }) => reason === "SINGLE_SEAT_GAP");
    const others = problem.conflicts.filter(({ mine }) => mine !== true);
    const reserved = problem.conflicts.filter(({ mine, reason }) => mine === true && reason === "RESERVED");
    if (reserved.length > 0) this.owned = new Set([...this.owned, ...idsOf(reserved)]);
    const inWay = new Set(idsOf(problem.conflicts));
    const rest = asked.filter((seatId) => !inWay.has(seatId));
    if (!isGap && rest.length > 0) await this.#add({ ...choice, seats: rest });
    if (others.length === 0) return this.hold === undefined ? this.#restore() : undefined;
    // What the rest met is told already; both are lost.
    const more: readonly Conflict[] = this.lost?.conflicts ?? [];
    this.lost = { conflicts: [...others, ...more], asked: isGap ? asked : [], isGap };
    this.#context.said({ kind: "lost", lost: this.lost });
  }

  async #restore(): Promise<void> {
    const holdId = await this.#context.findHold();
    this.#isInDoubt = false;
    if (holdId !== undefined && this.hold === undefined) this.#took(await this.#context.commands.readHold(holdId));
  }

  #took(hold: Hold, isNews = false): void {
    const before = new Set(idsOf(this.seats));
    if (this.hold?.holdId !== hold.holdId) this.isMost = false;
    this.hold = hold;
    this.ended = [];
    const seatIds = idsOf(hold.seats).filter((seatId) => !before.has(seatId));
    if (isNews && seatIds.length > 0) this.#context.said({ kind: "added", seatIds, hold });
  }

  #shrink(hold: Hold, released: Released | undefined, seatId: string): void {
    const left = released?.seats ?? this.seats.filter((seat) => seat.seatId !== seatId);
    const total = left.reduce((sum, { price }) => sum + price, 0);
    this.isApart = false;
    this.hold = left.length === 0 ? undefined : { ...hold, seats: left, total };
  }

  #reserved(reserved: Reserved): void {
    this.hold = undefined;
    this.isApart = false;
    this.problem = undefined;
    this.retry = undefined;
    this.reservation = reserved;
    this.owned = new Set([...this.owned, ...idsOf(reserved.seats)]);
    this.#context.said({ kind: "reserved", reserved });
  }

  #end(isCutShort = false): void {
    if (this.hold === undefined) return;
    this.#doubt = undefined;
    this.problem = undefined;
    this.retry = undefined;
    this.isCutShort = isCutShort;
    this.ended = this.hold.seats;
    this.hold = undefined;
    this.isApart = false;
    this.#context.said({ kind: "ended", seatIds: idsOf(this.ended) });
  }
}

function without(all: ReadonlySet<string>, gone: readonly string[]): ReadonlySet<string> {
  return new Set([...all].filter((one) => !gone.includes(one)));
}
