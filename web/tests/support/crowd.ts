// Buyers that come by the API, so that there is something to see.
import type { BoxOffice } from "./boxoffice.js";

interface Held {
  holdId: string;
  seats: { seatId: string }[];
}

/** A number from 0 to 1 that is the same in every run. */
export function dice(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** `orders` orders of 2 to 4 seats in the sections, the most in the first of them; every tenth stays a hold. */
export async function crowd(boxOffice: BoxOffice, eventId: string, sections: string[], orders: number): Promise<void> {
  const next = dice(7);
  const one = async (order: number) => {
    const sectionId = sections[Math.floor(next() ** 2 * sections.length)];
    const quantity = 2 + Math.floor(next() * 3);
    const user = `buyer-${order}`;
    const body = { bestAvailable: { quantity, sectionId } };
    const held = await boxOffice.call<Held>("POST", `/events/${eventId}/holds`, user, body).catch(() => undefined);
    if (held && order % 10 !== 0) await boxOffice.call("POST", `/holds/${held.holdId}/reserve`, user);
  };
  for (let from = 0; from < orders; from += 16) {
    await Promise.all(Array.from({ length: Math.min(16, orders - from) }, (_, i) => one(from + i)));
  }
}

interface Chart {
  sections: { sectionId: string; rows: { row: string; seats: string[] }[] }[];
}

/** As many seats as one hold of staff may have. */
const AT_ONCE = 100;

/**
 * Sells `share` of all seats at the counter, the first rows before the last, in runs of a few that sit together: as a show
 * looks that has been on sale for a while.
 */
export async function sellMany(boxOffice: BoxOffice, eventId: string, share: number): Promise<void> {
  const { sections } = await boxOffice.call<Chart>("GET", `/events/${eventId}/chart`, "nobody");
  const next = dice(11);
  const wanted: string[] = [];
  for (const { sectionId, rows } of sections) {
    const depth = share * (0.4 + 1.2 * next());
    rows.forEach(({ row, seats }, index) => {
      // Full up to there, then thinning out.
      const chance = 0.5 + 4 * (depth - index / rows.length);
      for (let from = 0; from < seats.length; ) {
        const run = 3 + Math.floor(next() * 7);
        if (next() < chance) wanted.push(...seats.slice(from, from + run).map((seat) => `${eventId}.${sectionId}-${row}-${seat}`));
        from += run;
      }
    });
  }
  for (let from = 0; from < wanted.length; from += AT_ONCE) {
    const body = { userId: `counter-${from}`, seats: wanted.slice(from, from + AT_ONCE) };
    // Blocked seats are in some of them: these are left alone.
    const held = await boxOffice.call<Held>("POST", `/admin/events/${eventId}/holds`, "staff", body).catch(() => undefined);
    if (held) await boxOffice.call("POST", `/admin/holds/${held.holdId}/reserve`, "staff", { paidBy: "counter" });
  }
}
