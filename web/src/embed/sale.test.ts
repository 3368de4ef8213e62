// What an embedded map tells the page around it.
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { EmbeddedSale, type Told } from "./sale.svelte";

const CHART = {
  chartHash: "c",
  seatsHash: "0000000000000001",
  priceCategories: [{ name: "p", amount: 2500, currency: "EUR" }],
  sections: [
    { sectionId: "A", priceCategory: "p", rows: [{ row: "1", seats: ["1", "2", "3", "4"] }] },
    { sectionId: "F", priceCategory: "p", capacity: 8, rows: [] },
  ],
};

function packed(): ArrayBuffer {
  const bytes = new Uint8Array(39);
  bytes.set([0x42, 0x4f, 0x53, 0x4d, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
  bytes[35] = 12;
  return bytes.buffer;
}

type Answer = () => Response;
let answers: Record<string, Answer>;
let asked: { path: string; body: unknown; key: string | null }[];
let stream: ReadableStreamDefaultController<Uint8Array>;
let told: { name: string; detail: unknown }[];
let sale: EmbeddedSale;

function seats(...numbers: number[]) {
  return numbers.map((number) => ({ seatId: `e.A-1-${number}`, sectionId: "A", priceCategory: "p", price: 2500 }));
}

beforeEach(async () => {
  answers = {
    "/events/e/chart": () => Response.json(CHART),
    "/events/e/seats": () => new Response(packed()),
    "/events/e/stream": () => new Response(new ReadableStream<Uint8Array>({ start: (controller) => void (stream = controller) })),
    "/events/e": () => Response.json({ eventId: "e", title: "E", startsAt: 0, phase: "OnSale", sales: { paused: false } }),
    "/web.json": () => Response.json({ auth: { mode: "header" }, version: "1" }),
  };
  asked = [];
  told = [];
  vi.stubGlobal("fetch", async (input: RequestInfo | URL, init?: RequestInit) => {
    const path = String(input).replace("https://tickets.test", "");
    const key = new Headers(init?.headers).get("idempotency-key");
    asked.push({ path, body: init?.body ? JSON.parse(String(init.body)) : undefined, key });
    return answers[path]!();
  });
  sale = new EmbeddedSale({
    base: "https://tickets.test",
    eventId: "e",
    max: () => 3,
    headers: () => ({ authorization: "Bearer t" }),
    tell: <K extends keyof Told>(name: K, detail: Told[K]) => void told.push({ name, detail }),
  });
  sale.start();
  await vi.waitFor(() => expect(sale.show.connection).toBe("live"));
});

afterEach(() => {
  sale.stop();
  vi.unstubAllGlobals();
});

describe("an embedded map", () => {
  it("tells what is chosen, to the limit", () => {
    sale.toggle(0);
    sale.setArea(sale.show.chart!.sections[1]!, 5);
    sale.toggle(1);
    expect(sale.problem).toBe("TOO_MANY");
    expect(sale.count).toBe(3);
    expect(sale.choice()).toEqual({
      seats: [{ seatId: "e.A-1-1", sectionId: "A", row: "1", number: "1", priceCategory: "p", price: 2500 }],
      areas: [{ sectionId: "F", quantity: 2, priceCategory: "p", price: 2500 }],
      total: 7500,
      currency: "EUR",
    });
    sale.toggle(0);
    expect(sale.count).toBe(2);
    expect(told.map(({ name }) => name)).toEqual(["seats-chosen", "seats-chosen", "seats-chosen"]);
  });

  it("holds, then reserves", async () => {
    const hold = { holdId: "e.h", seats: seats(1, 2), currency: "EUR", total: 5000, expiresAt: Date.now() + 60_000 };
    answers["/events/e/holds"] = () => Response.json(hold, { status: 201 });
    answers["/holds/e.h/reserve"] = () => Response.json({ reservationId: "e.r", seats: seats(1, 2), currency: "EUR", total: 5000 });
    sale.toggle(0);
    sale.toggle(1);
    await sale.holdChosen();
    expect(asked.find(({ path }) => path === "/events/e/holds")?.body).toEqual({ seats: ["e.A-1-1", "e.A-1-2"] });
    expect([...sale.mine]).toEqual([0, 1]);
    expect(sale.count).toBe(0);
    await sale.reserve();
    expect(sale.hold).toBeUndefined();
    expect(told.slice(2).map(({ name }) => name)).toEqual(["held", "reserved"]);
  });

  it("says which seats somebody else has, and keeps the others", async () => {
    const problem = { code: "SEAT_NOT_AVAILABLE", detail: "taken", retryable: false, conflicts: [{ seatId: "e.A-1-2", reason: "HELD" }] };
    answers["/events/e/holds"] = () => Response.json(problem, { status: 409 });
    sale.toggle(0);
    sale.toggle(1);
    await sale.holdChosen();
    expect([...sale.chosen]).toEqual([0]);
    expect([...sale.lost]).toEqual([1]);
    expect(told).toContainEqual({ name: "conflict", detail: { seatIds: ["e.A-1-2"] } });
    expect(sale.problem).toBe("SEAT_NOT_AVAILABLE");
  });

  it("loses a chosen seat when it is taken", async () => {
    sale.toggle(2);
    stream.enqueue(new TextEncoder().encode('id: 1\nevent: changes\ndata: {"sequence":1,"epoch":0,"changes":[[2,"HELD"]]}\n\n'));
    await vi.waitFor(() => expect(sale.count).toBe(0));
    expect(told.at(-2)).toEqual({ name: "conflict", detail: { seatIds: ["e.A-1-3"] } });
  });

  it("asks again for a reservation whose answer was lost, when its time is up", async () => {
    const hold = { holdId: "e.h", seats: seats(1), currency: "EUR", total: 2500, expiresAt: Date.now() + 1000 };
    answers["/events/e/holds"] = () => Response.json(hold, { status: 201 });
    // Lost so thoroughly that nothing is repeated at once.
    answers["/holds/e.h/reserve"] = () => Response.json({ code: "UNAVAILABLE", retryable: true }, { status: 503, headers: { "retry-after": "3600" } });
    sale.toggle(0);
    await sale.holdChosen();
    await sale.reserve();
    answers["/holds/e.h/reserve"] = () => Response.json({ reservationId: "e.r", seats: seats(1), currency: "EUR", total: 2500 });
    await vi.waitFor(() => expect(sale.reserved?.reservationId).toBe("e.r"), 3000);
    const keys = asked.filter(({ path }) => path === "/holds/e.h/reserve").map(({ key }) => key);
    expect([keys.length >= 2, new Set(keys).size]).toEqual([true, 1]);
    expect(told.some(({ name }) => name === "expired")).toBe(false);
  });

  it("forgets a hold whose time is up", async () => {
    const hold = { holdId: "e.h", seats: seats(1), currency: "EUR", total: 2500, expiresAt: Date.now() + 100 };
    answers["/events/e/holds"] = () => Response.json(hold, { status: 201 });
    sale.toggle(0);
    await sale.holdChosen();
    await vi.waitFor(() => expect(sale.hold).toBeUndefined(), 3000);
    expect(told.at(-1)).toEqual({ name: "expired", detail: { holdId: "e.h" } });
    expect(sale.problem).toBe("HOLD_EXPIRED");
  });
});
