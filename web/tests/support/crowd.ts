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
