// Counts by minute, with the minutes in between that have none: what a plot wants.
import type { Minute } from "./api";

const MINUTE = 60_000;

export interface Plotted {
  /** Seconds since 1970, a minute apart. */
  times: number[];
  /** Sold since the beginning of the plot, up to and with each minute. */
  total: number[];
  sold: number[];
  held: number[];
}

export const minuteOf = (at: number) => at - (at % MINUTE);

/**
 * The last `minutes`, or as many of them as there is something to show of, at least an hour. `holds`: by minute, in
 * milliseconds.
 */
export function plotted(sales: readonly Minute[], holds: ReadonlyMap<number, number>, minutes: number, now: number): Plotted {
  const end = minuteOf(now);
  const since = end - (minutes - 1) * MINUTE;
  const seats = new Map<number, number>();
  for (const { at, seats: n } of sales) seats.set(minuteOf(at), (seats.get(minuteOf(at)) ?? 0) + n);
  const told = [...seats.keys(), ...holds.keys()].filter((at) => at >= since);
  const first = Math.max(since, Math.min(end - 59 * MINUTE, ...told.map((at) => at - MINUTE)));
  const result: Plotted = { times: [], total: [], sold: [], held: [] };
  let total = 0;
  for (let at = first; at <= end; at += MINUTE) {
    const sold = seats.get(at) ?? 0;
    total += sold;
    result.times.push(at / 1000);
    result.total.push(total);
    result.sold.push(sold);
    result.held.push(holds.get(at) ?? 0);
  }
  return result;
}
