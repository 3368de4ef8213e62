// The client of the command side: one key a wish over all retries, waits that end, problems with their types.
import { describe, expect, it } from "vitest";
import { Commands, newWish, Problem, type Caller, type Waiting } from "./client";
import { backoff, type Patience } from "./retry";

type Answer = () => Response | Promise<Response>;

const ok = (body: unknown, headers: Record<string, string> = {}): Answer => () => new Response(JSON.stringify(body), { headers });
const refused = (status: number, body: object, headers: Record<string, string> = {}): Answer => () =>
  new Response(JSON.stringify(body), { status, headers });
const silent: Answer = () => Promise.reject(new TypeError("Failed to fetch"));

const HOLD = { holdId: "arena.1", seats: [], currency: "EUR", total: 0, expiresAt: 1, together: true, sequence: 1 };
const BUSY = { code: "RECOVERING", detail: "the seats are being read back", retryable: true };

/** A client whose service gives these answers in turn; time passes only while it sleeps. */
function answering(answers: Answer[], more: Partial<Caller> = {}, patience: Partial<Patience> = {}) {
  const requests: { url: string; init: RequestInit }[] = [];
  const slept: number[] = [];
  const waits: (Waiting | undefined)[] = [];
  let now = 0;
  const commands = new Commands({
    base: "https://command.example",
    headers: () => ({ "x-user-id": "alice" }),
    fetch: async (url, init) => {
      requests.push({ url: String(url), init: init ?? {} });
      const answer = answers.shift();
      if (answer === undefined) throw new Error("one request too many");
      return answer();
    },
    patience: { total: 60_000, attempts: 10, now: () => now, sleep: async (ms) => void (slept.push(ms), (now += ms)), chance: () => 0, ...patience },
    onwait: (waiting) => waits.push(waiting),
    ...more,
  });
  const header = (name: string) => requests.map(({ init }) => (init.headers as Record<string, string>)[name]);
  return { commands, requests, slept, waits, header };
}

async function problemOf(promise: Promise<unknown>): Promise<Problem> {
  try {
    await promise;
  } catch (cause) {
    if (cause instanceof Problem) return cause;
    throw cause;
  }
  throw new Error("nothing was wrong");
}

describe("a wish", () => {
  it("keeps its key over all retries, and the next has another", async () => {
    const { commands, header } = answering([silent, refused(503, BUSY, { "retry-after": "1" }), ok(HOLD), ok(HOLD)]);
    await commands.hold("arena", { seats: ["arena.A-1-1"] });
    await commands.hold("arena", { seats: ["arena.A-1-1"] });
    const [first, second, third, fourth] = header("idempotency-key");
    expect(first).toBeTruthy();
    expect([second, third]).toEqual([first, first]);
    expect(fourth).not.toBe(first);
  });

  it("keeps a key that is given", async () => {
    const { commands, header } = answering([ok(HOLD)]);
    await commands.addToHold("arena.1", { areas: [{ sectionId: "FLOOR", quantity: 2 }] }, "wish-1");
    expect(header("idempotency-key")).toEqual(["wish-1"]);
  });

  it("is random", () => expect(newWish()).not.toBe(newWish()));
});

describe("requests", () => {
  it("go to the command side with user and body", async () => {
    const { commands, requests, header } = answering([ok(HOLD), ok(HOLD), ok({}), ok({})]);
    await commands.chooseBest("arena", { quantity: 4, together: "required" });
    await commands.chooseBest("arena", { quantity: 1 }, "arena.1");
    await commands.extend("arena.1", 120);
    await commands.reserve("arena.1");
    expect(requests.map(({ url, init }) => [init.method, url.slice("https://command.example".length), init.body])).toEqual([
      ["POST", "/events/arena/holds", '{"bestAvailable":{"quantity":4,"together":"required"}}'],
      ["POST", "/holds/arena.1/seats", '{"bestAvailable":{"quantity":1}}'],
      ["POST", "/holds/arena.1/extend", '{"seconds":120}'],
      ["POST", "/holds/arena.1/reserve", undefined],
    ]);
    expect(header("x-user-id")).toEqual(["alice", "alice", "alice", "alice"]);
  });

  it("tell the service's time", async () => {
    const heard: number[] = [];
    const { commands } = answering([ok(HOLD, { date: "Tue, 14 Nov 2023 22:13:20 GMT" })], { ontime: (date) => heard.push(date) });
    await commands.hold("arena", {});
    expect(heard).toEqual([1_700_000_000_000]);
  });
});

describe("waiting", () => {
  it("lasts as long as the service asks, and says why", async () => {
    const { commands, slept, waits } = answering([refused(429, { code: "RATE_LIMITED", retryable: true }, { "retry-after": "3" }), ok(HOLD)]);
    await commands.hold("arena", {});
    expect(slept).toEqual([3000]);
    expect(waits).toEqual([{ reason: "limited", attempt: 1, until: 3000 }, undefined]);
  });

  it("is not the same for all who were refused together", async () => {
    const limited = () => refused(429, { code: "RATE_LIMITED", retryable: true }, { "retry-after": "4" });
    const { commands, slept } = answering([limited(), ok(HOLD)], {}, { chance: () => 0.5 });
    await commands.hold("arena", {});
    expect(slept).toEqual([4500]);
  });

  it("lasts until sales open, for who comes a moment too early", async () => {
    const date = "Tue, 14 Nov 2023 22:13:20 GMT";
    const early = (opensAt: number) => refused(409, { code: "SALES_NOT_OPEN", retryable: false, opensAt }, { date });
    const { commands, requests, waits } = answering([early(1_700_000_002_000), ok(HOLD), early(1_700_000_600_000)]);
    await commands.hold("arena", {});
    expect([requests.length, waits[0]?.reason]).toEqual([2, "opening"]);
    expect(await problemOf(commands.hold("arena", {}))).toMatchObject({ code: "SALES_NOT_OPEN", retryable: false });
  });

  it("knows a busy service from a lost connection", async () => {
    const { commands, waits } = answering([refused(503, BUSY), silent, ok(HOLD)]);
    await commands.hold("arena", {});
    expect(waits.map((waiting) => waiting?.reason)).toEqual(["busy", "offline", undefined]);
  });

  it("grows, and is never longer than ten seconds", () => {
    expect([1, 2, 3, 4, 5, 9].map((attempt) => backoff(attempt, 0.5))).toEqual([500, 1000, 2000, 4000, 8000, 8000]);
    expect(backoff(20, 1)).toBeLessThan(10_000);
  });

  it("ends: after so many attempts, or when the service asks for more time than there is", async () => {
    const many = answering(Array.from({ length: 3 }, () => silent), {}, { attempts: 3 });
    expect((await problemOf(many.commands.hold("arena", {}))).code).toBe("NETWORK");
    expect(many.requests).toHaveLength(3);
    const long = answering([refused(503, BUSY, { "retry-after": "3600" })]);
    expect((await problemOf(long.commands.hold("arena", {}))).retryAfter).toBe(3_600_000);
    expect(long.requests).toHaveLength(1);
    expect(long.waits).toEqual([undefined]);
  });

  it("waits while a wish is done but not yet durable", async () => {
    const { commands, requests } = answering([refused(409, { code: "IDEMPOTENCY_IN_FLIGHT", retryable: true }, { "retry-after": "1" }), ok(HOLD)]);
    await commands.reserve("arena.1");
    expect(requests).toHaveLength(2);
  });

  it("repeats when an answer breaks off", async () => {
    const { commands, header } = answering([() => new Response("{"), ok(HOLD)]);
    await commands.hold("arena", {});
    const [first, second] = header("idempotency-key");
    expect(second).toBe(first);
  });
});

describe("problems", () => {
  it("are told with their code and conflicts, and not repeated", async () => {
    const conflicts = [{ seatId: "arena.A-1-1", reason: "HELD", mine: true }];
    const { commands, requests } = answering([refused(409, { code: "SEAT_NOT_AVAILABLE", detail: "taken", retryable: false, conflicts })]);
    const problem = await problemOf(commands.hold("arena", { seats: ["arena.A-1-1"] }));
    expect(problem).toMatchObject({ code: "SEAT_NOT_AVAILABLE", status: 409, detail: "taken", retryable: false, conflicts });
    expect(requests).toHaveLength(1);
  });

  it("tell when sales open, and until when one could cancel", async () => {
    // Far enough ahead for nobody to wait.
    const opensAt = Date.UTC(2100, 0);
    const { commands } = answering([
      refused(409, { code: "SALES_NOT_OPEN", retryable: false, opensAt }),
      refused(409, { code: "CANCELLATION_CLOSED", retryable: false, cancelUntil: 7 }),
    ]);
    expect((await problemOf(commands.hold("arena", {}))).opensAt).toBe(opensAt);
    expect((await problemOf(commands.cancel("arena.2"))).cancelUntil).toBe(7);
  });

  it("of a gateway in between are typed by their status", async () => {
    const page = (status: number): Answer => () => new Response("<html>", { status });
    const { commands } = answering([page(404), page(502), ok(HOLD)]);
    expect(await problemOf(commands.hold("arena", {}))).toMatchObject({ code: "UNEXPECTED", retryable: false });
    await commands.hold("arena", {});
  });
});

describe("undoing", () => {
  const gone = refused(404, { code: "HOLD_NOT_FOUND", retryable: false });

  it("is done if a repeat finds nothing to undo", async () => {
    const { commands } = answering([silent, gone]);
    expect(await commands.release("arena.1")).toBeUndefined();
  });

  it("is refused if there was nothing at first", async () => {
    const { commands } = answering([gone]);
    expect((await problemOf(commands.release("arena.1"))).code).toBe("HOLD_NOT_FOUND");
  });
});
