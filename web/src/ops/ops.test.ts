// The operators' page without a browser: minutes, metrics, who has what, what staff may do.
import { expect, test } from "vitest";
import { type Claim, claimed, type Fact } from "./ledger.svelte";
import { consumers, samples } from "./metrics";
import { plotted } from "./minutes";
import { isOfClaim, oneClaim, possible } from "./staff";

const MINUTE = 60_000;
const now = 1_800_000_000_000;

test("minutes without sales are there with nothing, and the sum goes on", () => {
  const sale = (at: number, seats: number) => ({ at, seats, reservations: 1, revenue: 1, currency: "EUR" });
  const end = now - (now % MINUTE);
  const { times, total, sold, held } = plotted(
    [sale(end - 2 * MINUTE, 3), sale(end, 2)],
    new Map([[end - MINUTE, 4]]),
    1440,
    now,
  );
  expect(times).toHaveLength(60);
  expect(times.at(-1)).toBe(end / 1000);
  expect(sold.slice(-3)).toEqual([3, 0, 2]);
  expect(held.slice(-3)).toEqual([0, 4, 0]);
  expect(total.slice(-3)).toEqual([3, 3, 5]);
});

test("a plot goes back to the first sale, and no further than asked for", () => {
  const at = now - (now % MINUTE) - 300 * MINUTE;
  const sales = [{ at, seats: 1, reservations: 1, revenue: 1, currency: "EUR" }];
  expect(plotted(sales, new Map(), 1440, now).times).toHaveLength(302);
  const hour = plotted(sales, new Map(), 60, now);
  expect(hour.times).toHaveLength(60);
  expect(hour.total.at(-1)).toBe(0);
});

test("samples are read with their labels, escaped ones too", () => {
  expect(samples('# HELP a b\na_total{x="1",y="q\\"z"} 4.5\nb 1 # {t="e"} 1\nnonsense')).toEqual([
    { name: "a_total", labels: { x: "1", y: 'q\\"z' }, value: 4.5 },
    { name: "b", labels: {}, value: 1 },
  ]);
});

test("lag is what consumers tell, else how far one is behind the furthest", () => {
  const next = (handler: string, offset: number) =>
    `boxoffice_consumer_next_offset{handler="${handler}",topic="seat-events",partition="1"} ${offset}`;
  const text = [next("seat-view", 10), next("stats", 7), 'boxoffice_effects_closed{handler="stats"} 1'].join("\n");
  expect(consumers(text).map(({ handler, lag, isClosed }) => [handler, lag, isClosed])).toEqual([
    ["seat-view", 0, false],
    ["stats", 3, true],
  ]);
  const told = 'boxoffice_consumer_lag{handler="stats",topic="seat-events",partition="1"} 5';
  expect(consumers(`${text}\n${told}`).map(({ lag }) => lag)).toEqual([0, 5]);
});

test("who has a seat follows from its last domain event", () => {
  const claims = new Map<string, Claim>();
  const fact = (eventType: string, payload: Fact["payload"]): Fact => ({
    eventType,
    timestamp: now,
    payload: { seatId: "s.A-1-1", ...payload },
    metadata: { correlationId: "c" },
  });
  claimed(claims, fact("seat.held", { userId: "alice", holdId: "s.h" }));
  claimed(claims, fact("seat.reserved", { userId: "alice", holdId: "s.h", reservationId: "s.r" }));
  expect(claims.get("s.A-1-1")).toEqual({ userId: "alice", holdId: "s.h", reservationId: "s.r" });
  claimed(claims, fact("seat.released", {}));
  expect(claims.size).toBe(0);
});

test("staff may do what fits all of the chosen seats", () => {
  expect(possible(new Set())).toEqual([]);
  expect(possible(new Set([0] as const))).toEqual(["hold", "sell", "block"]);
  expect(possible(new Set([0, 3] as const))).toEqual(["hold", "sell"]);
  expect(possible(new Set([1] as const))).toEqual(["sell", "release"]);
  expect(possible(new Set([2] as const))).toEqual(["cancel"]);
  expect(possible(new Set([1, 2] as const))).toEqual([]);
  expect(isOfClaim("sell", new Set([0] as const))).toBe(false);
  expect(isOfClaim("sell", new Set([1] as const))).toBe(true);
});

test("seats of two reservations are not acted on together", async () => {
  const claims: Record<string, Claim> = {
    a: { userId: "u", holdId: "h", reservationId: "r1" },
    b: { userId: "u", holdId: "h", reservationId: "r2" },
  };
  const find = (seatId: string) => Promise.resolve(claims[seatId]);
  expect(await oneClaim(find, ["a"])).toEqual({ claim: claims.a });
  expect(await oneClaim(find, ["a", "b"])).toEqual({ isSeveral: true });
  expect(await oneClaim(find, ["c"])).toEqual({ unknown: "c" });
});
