// The log as operators look at it: its end is followed, its beginning is read when asked for, and nothing counts twice.
import { expect, test } from "vitest";
import { Admin } from "./api";
import { type Fact, Ledger } from "./ledger.svelte";

const MINUTE = 60_000;
const line = (fact: Fact) => `${JSON.stringify(fact)}\n`;

function held(sequence: number, seat: string): Fact {
  return {
    eventType: "seat.held",
    timestamp: 10 * MINUTE + sequence,
    payload: { seatId: `s.${seat}`, userId: "alice", holdId: "s.h" },
    metadata: { correlationId: "c", sequence },
  };
}

/** A log that has `before`, and then tells `after` to whoever follows it. */
class Log extends Admin {
  readonly asked: string[] = [];
  constructor(
    readonly before: Fact[],
    readonly after: Fact[],
  ) {
    super(undefined);
  }

  override ask(_: string, address: string, { signal }: { signal?: AbortSignal } = {}): Promise<Response> {
    this.asked.push(address);
    const isFollowed = address.includes("from=latest");
    const text = (isFollowed ? this.after : [...this.before, ...this.after]).map(line).join("");
    // In pieces that do not end where lines do.
    const pieces = text.match(/[^]{1,37}/g) ?? [];
    const stream = new ReadableStream<Uint8Array>({
      start(controller) {
        for (const piece of pieces) controller.enqueue(new TextEncoder().encode(piece));
        if (!isFollowed) controller.close();
        else signal?.addEventListener("abort", () => controller.error(new Error("stopped")));
      },
    });
    return Promise.resolve(new Response(stream));
  }
}

test("what is followed and read from the beginning counts once", async () => {
  const log = new Log([held(1, "A-1-1"), held(2, "A-1-2")], [held(3, "A-1-3")]);
  const ledger = new Ledger(log, "s");
  ledger.start();
  await expect.poll(() => ledger.holds.get(10 * MINUTE)).toBe(1);
  expect(ledger.claim("s.A-1-1")).toBeUndefined();
  expect(await ledger.claimOf("s.A-1-1")).toEqual({ userId: "alice", holdId: "s.h" });
  expect(ledger.holds.get(10 * MINUTE)).toBe(3);
  expect(ledger.seatsOf({ userId: "alice", holdId: "s.h" })).toEqual(["s.A-1-1", "s.A-1-2", "s.A-1-3"]);
  ledger.stop();
});

test("the beginning is read once, whoever asks", async () => {
  const log = new Log([], []);
  const ledger = new Ledger(log, "s");
  await Promise.all([ledger.chainOf("s.r"), ledger.claimOf("s.A-1-1"), ledger.readWhole()]);
  expect(log.asked).toEqual(["/admin/log?event=s&from=earliest&follow=false"]);
  expect(ledger.isWhole).toBe(true);
});

test("a reservation's chain is what its request was called", async () => {
  const created: Fact = {
    eventType: "reservation.created",
    timestamp: 1,
    payload: { reservationId: "s.r", userId: "alice" },
    metadata: { correlationId: "order-17", sequence: 1 },
  };
  const ledger = new Ledger(new Log([created], []), "s");
  expect(await ledger.chainOf("s.r")).toBe("order-17");
  expect(await ledger.chainOf("s.other")).toBeUndefined();
});
