// One show on the operators' operated: the seats, the numbers beside them, the log, and which seats are chosen.
import { SvelteSet } from "svelte/reactivity";
import { LiveShow } from "../live/show.svelte";
import type { Status } from "../live/chart";
import type { Admin, Statistics } from "./api";
import { Ledger } from "./ledger.svelte";
import { Polled } from "./polled.svelte";

/** Up to so many domain events the log is read from its beginning at once. */
const SHORT_LOG = 20_000;

export class OperatedShow {
  readonly show: LiveShow;
  readonly ledger: Ledger;
  readonly stats: Polled<Statistics>;
  readonly chosen = new SvelteSet<number>();
  /** Grows with every change of seats, so that what is read from `statuses` is read again. */
  changes = $state(0);

  constructor(
    readonly admin: Admin,
    readonly eventId: string,
  ) {
    this.show = new LiveShow({ base: "", eventId });
    this.ledger = new Ledger(admin, eventId);
    this.stats = new Polled(() => admin.stats(eventId), 3_000);
  }

  /** Begins; what is returned ends all of it. */
  start(): () => void {
    const unlisten = this.show.onChanges(() => this.changes++);
    this.show.start();
    this.ledger.start();
    const end = this.stats.start();
    return () => {
      unlisten();
      end();
      this.show.stop();
      this.ledger.stop();
    };
  }

  /** Called once the show is there. */
  readShortLog(): void {
    if (this.show.sequence > 0 && this.show.sequence <= SHORT_LOG) this.ledger.readWhole().catch(() => undefined);
  }

  choose(place: number): void {
    if (!this.chosen.delete(place)) this.chosen.add(place);
  }

  status(place: number): Status {
    void this.changes;
    return (this.show.statuses[place] ?? 0) as Status;
  }

  /** The chosen ones of a status, in the order of the chart. */
  ofStatus(status: Status): number[] {
    return [...this.chosen].filter((place) => this.status(place) === status).sort((a, b) => a - b);
  }

  seatId(place: number): string {
    return this.show.chart?.seatId(place) ?? "";
  }
}
