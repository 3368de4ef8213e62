// The cart: clicks in a row make one hold that grows, what is lost is told, and a repeat keeps its key.
import { describe, expect, it } from "vitest";
import { Problem } from "../commands/problem";
import type { Commands } from "../commands/client";
import type { Choice, ClaimedSeat, Conflict, Hold } from "../commands/types";
import { Cart, type Happening } from "./cart.svelte";
import { linesOf } from "./lines";

const seat = (seatId: string, price = 1000): ClaimedSeat => ({ seatId, sectionId: seatId.split(/[.-]/)[1] ?? "", priceCategory: "gold", price });
const refused = (code: string, conflicts: Conflict[] = [], retryable = false) => new Problem(code, 409, code, retryable, undefined, { conflicts });
const taken = (...seatIds: string[]) => refused("SEAT_NOT_AVAILABLE", seatIds.map((seatId) => ({ seatId, reason: "HELD" })));

/** A service in memory: what is `taken` is refused, `fails` come first. */
function shop() {
  const calls: { call: string; key?: string; seats?: string[] }[] = [];
  const said: Happening["kind"][] = [];
  const state = { taken: new Set<string>(), fails: [] as Problem[], isSignedIn: true, expiresAt: 1000, found: undefined as string | undefined, owned: [] as string[] };
  const seats: string[] = [];
  const whole = (): Hold => ({
    holdId: "show.1",
    seats: seats.map((seatId) => seat(seatId)),
    currency: "EUR",
    total: seats.length * 1000,
    expiresAt: state.expiresAt,
    together: true,
    sequence: 1,
    correlationId: "",
  });
  const act = (call: string, key?: string, choice?: Choice) => {
    calls.push({ call, ...(key === undefined ? {} : { key }), ...(choice?.seats ? { seats: choice.seats } : {}) });
    const fail = state.fails.shift();
    if (fail) throw fail;
    const lost = (choice?.seats ?? []).filter((seatId) => state.taken.has(seatId));
    if (lost.length > 0) throw taken(...lost);
    seats.push(...(choice?.seats ?? []));
    for (const { sectionId, quantity } of choice?.areas ?? []) for (let n = 1; n <= quantity; n++) seats.push(`show.${sectionId}-${n}`);
    return whole();
  };
  const commands = {
    hold: async (_: string, choice: Choice, key: string) => (seats.splice(0), act("hold", key, choice)),
    addToHold: async (_: string, choice: Choice, key: string) => act("add", key, choice),
    readHold: async () => act("read"),
    extend: async () => act("extend"),
    reserve: async (_: string, key: string) => ({ ...act("reserve", key), reservationId: "show.2", reservedAt: 1 }),
    release: async () => (act("release"), seats.splice(0), undefined),
    releaseSeat: async (seatId: string) => {
      act("releaseSeat");
      seats.splice(seats.indexOf(seatId), 1);
      return { released: [seatId], seats: whole().seats, currency: "EUR", total: 0, sequence: 2 };
    },
  };
  const cart = new Cart({
    commands: commands as unknown as Commands,
    eventId: "show",
    signIn: async () => state.isSignedIn,
    forgotten: () => undefined,
    findHold: async () => state.found,
    findOwned: async () => new Set(state.owned),
    said: (happening) => said.push(happening.kind),
  });
  const held = () => cart.seats.map(({ seatId }) => seatId);
  return { cart, calls, said, state, held };
}

describe("clicks", () => {
  it("hold, then grow the hold; what is clicked meanwhile goes together", async () => {
    const { cart, calls, held } = shop();
    void cart.toggle("show.A-1-1");
    await Promise.resolve();
    await Promise.resolve();
    void cart.toggle("show.A-1-2");
    await cart.toggle("show.A-1-3");
    expect(calls.map(({ call, seats }) => [call, seats?.length])).toEqual([
      ["hold", 1],
      ["add", 2],
    ]);
    expect([held().length, cart.asked.size, cart.hold?.total]).toEqual([3, 0, 3000]);
  });

  it("on a held seat give it back, and the last one ends the hold", async () => {
    const { cart, calls, held, said } = shop();
    await cart.take(["show.A-1-1", "show.A-1-2"]);
    await cart.toggle("show.A-1-1");
    expect(held()).toEqual(["show.A-1-2"]);
    await cart.toggle("show.A-1-2");
    expect([cart.hold, calls.at(-1)?.call, said]).toEqual([undefined, "release", ["added", "released", "released"]]);
  });

  it("on a seat that is not asked for yet take it back", async () => {
    const { cart, calls } = shop();
    const first = cart.toggle("show.A-1-1");
    await cart.toggle("show.A-1-1");
    await first;
    expect([calls, cart.asked.size]).toEqual([[], 0]);
  });

  it("of nobody do nothing", async () => {
    const { cart, calls, state } = shop();
    state.isSignedIn = false;
    await cart.toggle("show.A-1-1");
    expect([calls, cart.asked.size, cart.working]).toEqual([[], 0, undefined]);
  });
});

describe("seats that somebody else got", () => {
  it("are told, and the rest is held", async () => {
    const { cart, held, state, said } = shop();
    state.taken.add("show.A-1-2");
    await cart.take(["show.A-1-1", "show.A-1-2", "show.A-1-3"]);
    expect(held()).toEqual(["show.A-1-1", "show.A-1-3"]);
    expect(cart.lost?.conflicts.map(({ seatId }) => seatId)).toEqual(["show.A-1-2"]);
    expect(said).toEqual(["added", "lost"]);
  });

  it("may be one's own in another tab: then that hold is taken up", async () => {
    const { cart, state, calls } = shop();
    await cart.restore();
    state.found = "show.1";
    state.fails = [refused("SEAT_NOT_AVAILABLE", [{ seatId: "show.A-1-1", reason: "HELD", mine: true }])];
    await cart.take(["show.A-1-1"]);
    expect([cart.lost, calls.at(-1)?.call, cart.hold?.holdId]).toEqual([undefined, "read", "show.1"]);
  });

  it("would be left single: nothing is held, and both are offered", async () => {
    const { cart, state } = shop();
    state.fails = [refused("SEAT_NOT_AVAILABLE", [{ seatId: "show.A-1-1", reason: "SINGLE_SEAT_GAP" }])];
    await cart.take(["show.A-1-2"]);
    expect(cart.lost).toMatchObject({ isGap: true, asked: ["show.A-1-2"] });
    expect(cart.hold).toBeUndefined();
  });
});

describe("a wish that failed", () => {
  it("is repeated under its key", async () => {
    const { cart, calls, state, held } = shop();
    state.fails = [new Problem("NETWORK", 0, "", true)];
    await cart.take(["show.A-1-1"]);
    expect([cart.problem?.code, held()]).toEqual(["NETWORK", []]);
    cart.retry?.();
    await cart.restore();
    const keys = calls.filter(({ call }) => call === "hold").map(({ key }) => key);
    expect([keys.length, keys[0] === keys[1], held()]).toEqual([2, true, ["show.A-1-1"]]);
  });

  it("may have been done: before another one that hold is looked for", async () => {
    const { cart, calls, state } = shop();
    state.fails = [new Problem("NETWORK", 0, "", true)];
    await cart.take(["show.A-1-1"]);
    state.found = "show.1";
    await cart.take(["show.A-1-2"]);
    expect(calls.map(({ call }) => call)).toEqual(["hold", "read", "add"]);
    cart.forget();
    expect([cart.hold, cart.problem]).toEqual([undefined, undefined]);
  });

  it("goes on, under its key, when one has signed in again", async () => {
    const { cart, calls, state, held } = shop();
    state.fails = [new Problem("UNAUTHENTICATED", 401, "", false)];
    await cart.take(["show.A-1-1"]);
    expect([held(), cart.problem, new Set(calls.map(({ key }) => key)).size]).toEqual([["show.A-1-1"], undefined, 1]);
  });

  it("is not repeated when it was refused", async () => {
    const { cart, state } = shop();
    state.fails = [refused("LIMIT_EXCEEDED")];
    await cart.take(["show.A-1-1"]);
    expect([cart.problem?.code, cart.retry]).toEqual(["LIMIT_EXCEEDED", undefined]);
  });

  it("of the best seats tells what there is not", async () => {
    const { cart, state } = shop();
    state.fails = [refused("NOT_ENOUGH_SEATS")];
    await cart.best({ quantity: 4, together: "required" });
    expect([cart.refused?.quantity, cart.problem]).toEqual([4, undefined]);
  });
});

describe("a hold that was made elsewhere", () => {
  it("is looked for before the first wish, and grown", async () => {
    const { cart, calls, state } = shop();
    state.found = "show.1";
    await cart.take(["show.A-1-2"]);
    expect(calls.map(({ call }) => call)).toEqual(["read", "add"]);
  });

  it("does not stand in the way when it cannot be looked for", async () => {
    const { cart, calls, state } = shop();
    state.found = "show.1";
    state.fails = [refused("UNAVAILABLE")];
    await cart.take(["show.A-1-2"]);
    expect([calls.map(({ call }) => call), cart.problem]).toEqual([["read", "hold"], undefined]);
  });

  it("may be reserved in another tab: its seats are one's own, and nothing is said of a time that is up", async () => {
    const { cart, state, said } = shop();
    await cart.take(["show.A-1-1", "show.A-1-2"]);
    state.fails = [refused("HOLD_NOT_FOUND")];
    state.owned = ["show.A-1-1", "show.A-1-2"];
    await cart.check();
    cart.tick(1000);
    expect([cart.hold, cart.ended, [...cart.owned], said.at(-1)]).toEqual([undefined, [], state.owned, "elsewhere"]);
  });

  it("is taken up when the tab is looked at again, and grows as it did there", async () => {
    const { cart, calls, state, held } = shop();
    await cart.restore();
    state.found = "show.1";
    await cart.check();
    expect([calls.map(({ call }) => call), cart.hold?.holdId, held()]).toEqual([["read"], "show.1", []]);
  });

  it("may be taken back: that is told when its seats change", async () => {
    const { cart, state } = shop();
    await cart.take(["show.A-1-2"]);
    state.fails = [refused("HOLD_NOT_FOUND")];
    await cart.check();
    expect([cart.hold, cart.ended.length, cart.isCutShort]).toEqual([undefined, 1, true]);
  });
});

describe("the deadline", () => {
  it("ends the hold when it is reached, and the same can be held again", async () => {
    const { cart, held, said } = shop();
    await cart.take(["show.A-1-1"]);
    await cart.area("FLOOR", 2);
    cart.tick(999);
    expect(cart.ended).toEqual([]);
    cart.tick(1000);
    expect([cart.hold, cart.ended.length, said.at(-1)]).toEqual([undefined, 3, "ended"]);
    await cart.again(cart.ended);
    expect(held()).toEqual(["show.A-1-1", "show.FLOOR-1", "show.FLOOR-2"]);
    expect(cart.ended).toEqual([]);
  });

  it("that the service saw first ends it too, and what was clicked begins a new hold", async () => {
    const { cart, calls, state, held } = shop();
    await cart.take(["show.A-1-1"]);
    state.fails = [refused("HOLD_EXPIRED")];
    await cart.take(["show.A-1-2"]);
    expect([calls.map(({ call }) => call), held()]).toEqual([["hold", "add", "hold"], ["show.A-1-2"]]);
    state.fails = [refused("HOLD_EXPIRED")];
    await cart.reserve();
    expect([cart.hold, cart.ended.length, cart.reservation]).toEqual([undefined, 1, undefined]);
  });

  it("moves by an extension, until there is no more", async () => {
    const { cart, state } = shop();
    await cart.take(["show.A-1-1"]);
    state.expiresAt = 9000;
    await cart.extend();
    expect([cart.hold?.expiresAt, cart.isMost]).toEqual([9000, false]);
    await cart.extend();
    expect(cart.isMost).toBe(true);
  });
});

describe("a reservation whose answer was lost", () => {
  const lost = () => new Problem("NETWORK", 0, "", true);

  it("is asked for again under its key when the time is up: it may have been made", async () => {
    const { cart, calls, said, state } = shop();
    await cart.take(["show.A-1-1"]);
    state.fails = [lost(), lost()];
    await cart.reserve();
    cart.tick(1000);
    // Once, however often the clock ticks.
    cart.tick(2000);
    await cart.check();
    expect(calls.filter(({ call }) => call === "reserve")).toHaveLength(2);
    expect([cart.hold?.holdId, cart.ended]).toEqual(["show.1", []]);
    cart.tick(3000);
    await cart.check();
    const keys = calls.filter(({ call }) => call === "reserve").map(({ key }) => key);
    expect([keys.length, new Set(keys).size]).toEqual([3, 1]);
    expect([cart.reservation?.reservationId, cart.problem, said.includes("ended")]).toEqual(["show.2", undefined, false]);
  });

  it("was not made if the service says that the time was up", async () => {
    const { cart, state } = shop();
    await cart.take(["show.A-1-1"]);
    state.fails = [lost(), refused("HOLD_EXPIRED")];
    await cart.reserve();
    cart.tick(1000);
    await cart.check();
    expect([cart.hold, cart.ended.length, cart.reservation]).toEqual([undefined, 1, undefined]);
  });
});

describe("a problem", () => {
  it("is gone once its wish was repeated", async () => {
    const { cart, state } = shop();
    state.fails = [new Problem("NETWORK", 0, "", true)];
    await cart.take(["show.A-1-1"]);
    cart.retry?.();
    await cart.restore();
    expect([cart.hold?.holdId, cart.problem, cart.retry]).toEqual(["show.1", undefined, undefined]);
  });
});

describe("a reservation", () => {
  it("ends the hold, and its seats are one's own", async () => {
    const { cart, said } = shop();
    await cart.take(["show.A-1-1"]);
    await cart.reserve();
    expect([cart.hold, cart.reservation?.reservationId, [...cart.owned], said.at(-1)]).toEqual([undefined, "show.2", ["show.A-1-1"], "reserved"]);
  });
});

describe("lines", () => {
  it("are one a seat, and one an area and price", () => {
    const lines = linesOf([seat("show.A-1-1"), seat("show.FLOOR-1", 500), seat("show.FLOOR-2", 500), seat("show.FLOOR-3", 400)]);
    expect(lines.map(({ key, sum, seatIds }) => [key, sum, seatIds.length])).toEqual([
      ["show.A-1-1", 1000, 1],
      ["FLOOR@500", 1000, 2],
      ["FLOOR@400", 400, 1],
    ]);
  });
});
