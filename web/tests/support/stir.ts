// A show that many buy at once: so many of its seats change each second, all over the map.
import { MEDIA_TYPE, unpack } from "../../src/live/packed.js";
import type { BoxOffice } from "./boxoffice.js";
import { dice } from "./crowd.js";

interface Chart {
  sections: { sectionId: string; rows: { row: string; seats: string[] }[] }[];
}

/** How often a part of them changes. */
const EVERY = 100;
/** So many holds are open at once, before the first of them is given back. */
const OPEN = 20;

export class Stir {
  changed = 0;
  #isOver = false;
  #done: Promise<void> | undefined;

  private constructor(
    readonly boxOffice: BoxOffice,
    readonly eventId: string,
    readonly seats: string[],
  ) {}

  /** `rate` changes a second until it is stopped: half of them are holds, the other half what comes back of them. */
  static async begin(boxOffice: BoxOffice, eventId: string, rate: number): Promise<Stir> {
    const { sections } = await boxOffice.call<Chart>("GET", `/events/${eventId}/chart`, "nobody");
    const all = sections.flatMap(({ sectionId, rows }) =>
      rows.flatMap(({ row, seats }) => seats.map((seat) => `${eventId}.${sectionId}-${row}-${seat}`)),
    );
    const map = await fetch(`${boxOffice.backend}/events/${eventId}/seats`, { headers: { accept: MEDIA_TYPE } });
    const { statuses } = unpack(await map.arrayBuffer());
    const seats = all.filter((_, place) => statuses[place] === 0);
    const next = dice(5);
    for (let at = seats.length - 1; at > 0; at--) {
      const other = Math.floor(next() * (at + 1));
      [seats[at], seats[other]] = [seats[other]!, seats[at]!];
    }
    const stir = new Stir(boxOffice, eventId, seats);
    stir.#done = stir.#go(Math.max(1, Math.round((rate * EVERY) / 2000)));
    return stir;
  }

  /** Ends it, and throws what went wrong. */
  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#done;
  }

  async #go(atOnce: number): Promise<void> {
    const open: string[] = [];
    const begin = performance.now();
    for (let round = 0; !this.#isOver; round++) {
      const from = (round * atOnce) % (this.seats.length - atOnce);
      const body = { userId: `crowd-${round}`, seats: this.seats.slice(from, from + atOnce) };
      const hold = await this.boxOffice
        .call<{ holdId: string }>("POST", `/admin/events/${this.eventId}/holds`, "staff", body)
        // Whoever tries the page has taken one of them.
        .catch(() => undefined);
      if (hold) {
        open.push(hold.holdId);
        this.changed += atOnce;
      }
      if (open.length > OPEN) {
        await this.boxOffice.call("DELETE", `/admin/holds/${open.shift()}`, "staff");
        this.changed += atOnce;
      }
      const wait = begin + (round + 1) * EVERY - performance.now();
      if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }
}
