// One show as one buyer sees it: its seats live, the cart, and what can be done now. Everything on the show's page hangs on this.
import type { Section } from "../../live/chart";
import { LiveShow } from "../../live/show.svelte";
import { announce } from "../announce.svelte";
import { Cart, type Happening } from "../cart.svelte";
import { clock } from "../clock.svelte";
import { shared } from "../shared.svelte";
import { money, spoken } from "../format";
import { t } from "../i18n/index.svelte";
import { nearest } from "../nearest";
import { own } from "../own";
import { isOpen, standing } from "../phase";
import { wordsOf } from "../problems";
import { seatName, seatNames } from "../seatName";

/** Most seats that are chosen at once where the show sets no limit. */
const MOST = 20;

/** Whoever wants a seat that was taken so short a time ago meant it while it was free. */
const JUST_MS = 4000;

/** So often, once a second, is asked whether seats of a hold that is gone are one's own now. */
const ASKED_MOST = 5;

/** So many seats that were just taken are remembered. */
const JUST_MOST = 2000;

export class Showing {
  readonly show: LiveShow;
  readonly cart: Cart;
  /** The area whose places are being counted. */
  area = $state.raw<Section>();
  /** Why nothing came of a click. */
  hint = $state("");
  /** Seats that somebody took, and when. */
  readonly #justTaken = new Map<number, number>();
  #hintTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(readonly eventId: string) {
    this.show = new LiveShow({ base: "", eventId, ontime: shared.ontime });
    this.cart = new Cart({
      commands: shared.commands,
      eventId,
      signIn: shared.signIn,
      forgotten: shared.forgotten,
      findHold: () => shared.findHold(eventId),
      findOwned: () => this.#ownedByNow(),
      said: (happening) => this.#said(happening),
    });
  }

  readonly counts = $derived.by(() => {
    const sum = { available: 0, total: 0 };
    for (const { available, held, reserved, blocked } of this.show.counts) {
      sum.available += available;
      sum.total += available + held + reserved + blocked;
    }
    return sum;
  });

  readonly stands = $derived.by(() => {
    const { summary } = this.show;
    if (summary === undefined) return undefined;
    const isCounted = this.show.counts.length > 0;
    const { available, total } = isCounted ? this.counts : { available: 1, total: 1 };
    // Whether all are sold is counted here: the service tells it with the next summary alone.
    const phase = isCounted && available > 0 && summary.phase === "SoldOut" ? "OnSale" : summary.phase;
    return standing({ phase, sales: summary.sales, available, total }, clock.now);
  });

  readonly isOpen = $derived(this.stands !== undefined && isOpen(this.stands));

  /** How many more seats this buyer may take. */
  readonly most = $derived.by(() => {
    const limit = this.show.summary?.limits?.seatsPerUser;
    return limit === undefined ? MOST : Math.max(1, limit - this.cart.seats.length - this.cart.owned.size);
  });

  readonly mine = $derived.by(() => this.#places([...this.cart.seats.map(({ seatId }) => seatId), ...this.cart.owned]));
  readonly selected = $derived.by(() => this.#places([...this.cart.asked]));
  readonly lost = $derived.by(() => this.#places(this.cart.lost?.conflicts.map(({ seatId }) => seatId) ?? []));

  /** Follows the show, the clock and what one has, until the page is left. */
  start(): () => void {
    this.show.start();
    const stop = this.show.onChanges((changes) => {
      if (this.#justTaken.size > JUST_MOST) this.#justTaken.clear();
      for (const [place, status] of changes) {
        if (status === 1 || status === 2) this.#justTaken.set(place, Date.now());
        else this.#justTaken.delete(place);
      }
      const { hold } = this.cart;
      if (hold === undefined || this.cart.working !== undefined) return;
      // One's own seat that is not held any more: it was taken back or reserved elsewhere, or this news is older than the hold. The service knows.
      const isOdd = changes.some(([place, status]) => status !== 1 && this.mine.has(place));
      if (isOdd && clock.exact < hold.expiresAt) void this.cart.check();
    });
    // The same buyer may have gone on in another tab.
    const look = () => {
      if (!document.hidden && shared.session.isKnown) void this.cart.check();
    };
    document.addEventListener("visibilitychange", look);
    return () => {
      stop();
      document.removeEventListener("visibilitychange", look);
      this.show.stop();
    };
  }

  /** What one has of this show already, wherever it was taken. */
  async recall(): Promise<void> {
    await shared.start();
    if (!shared.session.isKnown) return;
    await this.cart.restore();
    this.cart.owned = new Set([...this.cart.owned, ...(await this.#owned())]);
  }

  async #owned(): Promise<ReadonlySet<string>> {
    const reservations = await own.reservations(shared.reader, shared.session.user);
    const seats = reservations.filter(({ eventId }) => eventId === this.eventId).flatMap(({ seats }) => seats);
    return new Set(seats.map(({ seatId }) => seatId));
  }

  /** The map says that seats of the hold are reserved, and who has them may be known a moment later. */
  async #ownedByNow(): Promise<ReadonlySet<string>> {
    const { seats } = this.cart;
    const isReserved = ({ seatId }: { seatId: string }) => this.show.statuses[this.show.chart?.place(seatId) ?? -1] === 2;
    for (let asked = 1; ; asked++) {
      const owned = await this.#owned();
      if (asked === ASKED_MOST || !seats.some(isReserved) || seats.some(({ seatId }) => owned.has(seatId))) return owned;
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }

  /** A click on a seat, on the map or in the list. */
  pick = (place: number): void => {
    const { chart } = this.show;
    if (chart === undefined) return;
    const seatId = chart.seatId(place);
    const section = chart.section(place);
    if (section.capacity !== undefined) return this.open(section);
    if (this.cart.has(seatId) || this.cart.asked.has(seatId)) return void this.cart.toggle(seatId);
    const status = this.statusOf(place);
    const why = this.why();
    if (why !== undefined) return this.say(why);
    if (status.isFree) return void this.cart.toggle(seatId);
    if (this.misses(place)) return;
    this.say(t("grid.taken", { seat: seatName(seatId, chart), status: status.words }));
  };

  /** Whether somebody took the seat just now; then that is told, with another one that is near. */
  misses(place: number): boolean {
    const { chart } = this.show;
    const at = this.#justTaken.get(place);
    if (chart === undefined || at === undefined || Date.now() - at > JUST_MS || this.mine.has(place)) return false;
    this.cart.missed({ seatId: chart.seatId(place), reason: this.show.statuses[place] === 2 ? "RESERVED" : "HELD" });
    return true;
  }

  open = (section: Section): void => {
    const why = this.why();
    if (why === undefined) this.area = section;
    else this.say(why);
  };

  /** What a seat is to this buyer, in words. */
  statusOf(place: number): { isFree: boolean; isMine: boolean; words: string } {
    if (this.selected.has(place)) return { isFree: false, isMine: true, words: t("seat.asked") };
    if (this.mine.has(place)) {
      const seatId = this.show.chart?.seatId(place) ?? "";
      return { isFree: false, isMine: true, words: this.cart.owned.has(seatId) ? t("seat.bought") : t("seat.mine") };
    }
    const status = this.show.statuses[place] ?? 3;
    const keys = ["seat.status0", "seat.status1", "seat.status2", "seat.status3"] as const;
    return { isFree: status === 0, isMine: false, words: t(keys[status as 0 | 1 | 2 | 3]) };
  }

  /** As many free neighbours as were lost, as near as there are. */
  offer(): string[] {
    const { chart } = this.show;
    if (chart === undefined || this.cart.lost === undefined) return [];
    const places = [...this.lost].sort((a, b) => a - b);
    const isFree = (place: number) => this.statusOf(place).isFree && !this.lost.has(place);
    return nearest(chart, places, isFree).map((place) => chart.seatId(place));
  }

  /** In place of lost seats with nothing near them: the best of their price. */
  bestInstead(): void {
    const { chart } = this.show;
    const [first] = this.lost;
    if (chart === undefined || first === undefined) return;
    const priceCategory = chart.priceCategories[chart.section(first).priceCategory]?.name;
    void this.cart.best({ quantity: this.lost.size, ...(priceCategory === undefined ? {} : { priceCategory }) });
  }

  /** Why nothing can be chosen now. */
  why(): string | undefined {
    switch (this.stands) {
      case "Pending":
        return t("show.pending");
      case "Scheduled":
        return t("problem.SALES_NOT_OPEN");
      case "Paused":
        return t("problem.SALES_PAUSED");
      case "Closed":
        return t("show.closed");
      case "SoldOut":
        return t("show.soldOut");
      case "OnSale":
      case "Few":
      case undefined:
        return undefined;
    }
  }

  say(text: string): void {
    this.hint = text;
    announce(text, true);
    clearTimeout(this.#hintTimer);
    this.#hintTimer = setTimeout(() => (this.hint = ""), 6000);
  }

  #places(seatIds: readonly string[]): ReadonlySet<number> {
    const { chart } = this.show;
    if (chart === undefined) return new Set();
    return new Set(seatIds.map((seatId) => chart.place(seatId)).filter((place) => place !== undefined));
  }

  #said(happening: Happening): void {
    const { chart } = this.show;
    if (happening.kind !== "problem" && happening.kind !== "lost") own.held(this.eventId, this.cart.hold, clock.exact);
    switch (happening.kind) {
      case "added": {
        const total = money(happening.hold.total, happening.hold.currency);
        return announce(t("cart.added", { seats: seatNames(happening.seatIds, chart), total }));
      }
      case "released":
        return announce(t("cart.released", { seats: seatNames(happening.seatIds, chart) }));
      case "lost": {
        const { conflicts, isGap } = happening.lost;
        const seats = seatNames(conflicts.map(({ seatId }) => seatId), chart);
        return announce(isGap ? t("gap.text", { seats }) : t("lost.text", { seats }), true);
      }
      case "elsewhere":
        return this.say(t("cart.elsewhere", { seats: seatNames(happening.seatIds, chart) }));
      case "ended":
        return announce(`${t("ended.title")}. ${t("ended.text", { seats: seatNames(happening.seatIds, chart) })}`, true);
      case "extended": {
        const time = spoken(happening.hold.expiresAt - clock.exact);
        return announce(happening.isMost ? t("cart.extendedMost", { time }) : t("cart.extended", { time }));
      }
      case "reserved":
        own.remember(happening.reserved.reservationId);
        return announce(t("done.title"));
      case "problem":
        return announce(wordsOf(happening.problem), true);
    }
  }
}
