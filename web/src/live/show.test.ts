// A show that is kept up to date, against a server made of promises.
import { afterEach, describe, expect, it, vi } from "vitest";
import { LiveShow } from "./show.svelte";
import { backOff } from "./stream";

const SEATS = "00000000000000ab";

function packed(sequence: number, statuses: number[], epoch = 0): ArrayBuffer {
  const bytes = new Uint8Array(36 + Math.ceil(statuses.length / 4));
  const view = new DataView(bytes.buffer);
  bytes.set([0x42, 0x4f, 0x53, 0x4d, 1]);
  view.setBigUint64(8, BigInt(`0x${SEATS}`));
  view.setBigUint64(16, BigInt(epoch));
  view.setBigUint64(24, BigInt(sequence));
  view.setUint32(32, statuses.length);
  statuses.forEach((status, place) => (bytes[36 + (place >> 2)]! |= status << ((place & 3) * 2)));
  return bytes.buffer;
}

/** What the query side has, and who follows it. */
class Server {
  sequence = 1;
  statuses = [0, 0, 0, 0, 0];
  epoch = 0;
  chartHash = "c1";
  asked: string[] = [];
  lastEventIds: (string | null)[] = [];
  streams: ReadableStreamDefaultController<Uint8Array>[] = [];
  down = false;
  /** Streams are not answered. */
  silent = false;

  fetch = (async (input: RequestInfo | URL, init?: RequestInit) => {
    const path = String(input).replace("/events/e", "");
    this.asked.push(path);
    if (this.down) throw new TypeError("down");
    if (path.startsWith("/chart")) return Response.json(this.#chart());
    const after = Number(/after=(\d+)/.exec(path)?.[1] ?? 0);
    if (after > this.sequence) return Response.json({ code: "UNAVAILABLE" }, { status: 503 });
    if (path.startsWith("/seats")) return new Response(packed(this.sequence, this.statuses, this.epoch));
    if (path.startsWith("/stream") && this.silent) return new Promise<Response>(() => {});
    if (path.startsWith("/stream")) return this.#stream(new Headers(init?.headers));
    return Response.json({ eventId: "e", title: "E", startsAt: 0, phase: "OnSale", sales: { paused: false } });
  }) as typeof fetch;

  tell(text: string) {
    this.streams.at(-1)!.enqueue(new TextEncoder().encode(text));
  }

  #chart() {
    const rows = [{ row: "1", seats: ["1", "2", "3"] }];
    const sections = [
      { sectionId: "A", priceCategory: "p", rows },
      { sectionId: "F", priceCategory: "p", capacity: 2, rows: [] },
    ];
    const priceCategories = [{ name: "p", amount: 1, currency: "EUR" }];
    return { chartHash: this.chartHash, seatsHash: SEATS, priceCategories, sections };
  }

  #stream(headers: Headers) {
    this.lastEventIds.push(headers.get("last-event-id"));
    const body = new ReadableStream<Uint8Array>({ start: (controller) => void this.streams.push(controller) });
    return new Response(body, { headers: { "x-view-sequence": String(this.sequence), "x-view-epoch": String(this.epoch) } });
  }
}

let show: LiveShow | undefined;

async function started(server: Server) {
  show = new LiveShow({ base: "", eventId: "e", fetch: server.fetch });
  show.start();
  await vi.waitFor(() => expect(show!.connection).toBe("live"));
  await vi.waitFor(() => expect(server.streams).toHaveLength(1));
  return show;
}

afterEach(() => show?.stop());

describe("a live show", () => {
  it("loads, follows from where the map was, and applies what is told", async () => {
    const server = new Server();
    server.statuses = [0, 3, 0, 0, 1];
    const live = await started(server);
    expect(server.lastEventIds).toEqual(["1"]);
    expect(live.counts[0]).toEqual({ sectionId: "A", available: 2, held: 0, reserved: 0, blocked: 1 });
    const told: unknown[] = [];
    live.onChanges((places) => told.push(...places));
    server.tell('id: 4\nevent: changes\ndata: {"sequence":4,"epoch":0,"changes":[[0,"HELD"],[4,"RESERVED"],[1,"BLOCKED"]]}\n\n');
    await vi.waitFor(() => expect(live.sequence).toBe(4));
    expect(told).toEqual([[0, 1], [4, 2]]);
    expect([...live.statuses]).toEqual([1, 3, 0, 0, 2]);
    await vi.waitFor(() => expect(live.counts[0]!.held).toBe(1));
    expect(live.counts[1]!.reserved).toBe(1);
  });

  it("comes again with the last id when the stream ends", async () => {
    const server = new Server();
    const live = await started(server);
    server.tell('id: 7\nevent: changes\ndata: {"sequence":7,"epoch":0,"changes":[]}\n\n');
    await vi.waitFor(() => expect(live.sequence).toBe(7));
    server.sequence = 7;
    server.streams[0]!.close();
    await vi.waitFor(() => expect(live.connection).toBe("lost"));
    await vi.waitFor(() => expect(server.lastEventIds).toEqual(["1", "7"]), 3000);
  });

  it("loads the map again on reset, and tells what differs", async () => {
    const server = new Server();
    const live = await started(server);
    const told: unknown[] = [];
    live.onChanges((places) => told.push(...places));
    server.sequence = 90;
    server.statuses = [0, 0, 2, 0, 0];
    server.tell('id: 90\nevent: reset\ndata: {"sequence":90}\n\n');
    await vi.waitFor(() => expect(told).toEqual([[2, 2]]));
    expect(server.asked).toContain("/seats?after=90");
    await vi.waitFor(() => expect(server.lastEventIds).toEqual(["1", "90"]));
  });

  it("takes another chart, and only another", async () => {
    const server = new Server();
    const live = await started(server);
    const before = live.chart;
    server.sequence = 2;
    server.tell(`event: definition\ndata: {"chartHash":"c1","seatsHash":"${SEATS}"}\n\n`);
    server.tell('id: 2\nevent: changes\ndata: {"sequence":2,"epoch":0,"changes":[]}\n\n');
    await vi.waitFor(() => expect(live.sequence).toBe(2));
    expect(live.chart).toBe(before);
    server.chartHash = "c2";
    server.tell(`event: definition\ndata: {"chartHash":"c2","seatsHash":"${SEATS}"}\n\n`);
    await vi.waitFor(() => expect(live.chart?.chartHash).toBe("c2"));
  });

  it("loads anew where the epoch is another one", async () => {
    const server = new Server();
    const live = await started(server);
    [server.sequence, server.epoch] = [5, 1];
    server.tell('id: 1-5\nevent: changes\ndata: {"sequence":5,"epoch":1,"changes":[]}\n\n');
    await vi.waitFor(() => expect(live.sequence).toBe(5));
  });

  it("takes over from a server that began anew", async () => {
    const server = new Server();
    const live = await started(server);
    server.sequence = 7;
    server.tell('id: 7\nevent: changes\ndata: {"sequence":7,"epoch":0,"changes":[[0,"HELD"]]}\n\n');
    await vi.waitFor(() => expect(live.sequence).toBe(7));
    server.sequence = 2;
    server.streams[0]!.close();
    await vi.waitFor(() => expect(live.sequence).toBe(2), 6000);
    expect(server.asked).toContain("/seats?after=7");
    expect(live.statuses[0]).toBe(0);
    await vi.waitFor(() => expect(live.connection).toBe("live"));
  }, 10_000);

  it("says how old the map of a tab that slept is, when nobody answers", async () => {
    const listeners = new Set<() => void>();
    const page = {
      hidden: false,
      addEventListener: (_: string, listener: () => void) => void listeners.add(listener),
      removeEventListener: (_: string, listener: () => void) => void listeners.delete(listener),
    };
    vi.useFakeTimers();
    vi.stubGlobal("document", page);
    try {
      const server = new Server();
      const live = await started(server);
      const turn = (hidden: boolean) => {
        page.hidden = hidden;
        for (const listener of listeners) listener();
      };
      turn(true);
      await vi.advanceTimersByTimeAsync(60_000);
      server.silent = true;
      turn(false);
      expect(live.connection).toBe("live");
      await vi.advanceTimersByTimeAsync(5_000);
      expect([live.connection, live.ageMs > 60_000]).toEqual(["lost", true]);
      live.stop();
    } finally {
      vi.unstubAllGlobals();
      vi.useRealTimers();
    }
  });

  it("says why there is nothing, and goes on trying", async () => {
    const server = new Server();
    server.down = true;
    show = new LiveShow({ base: "", eventId: "e", fetch: server.fetch });
    show.start();
    await vi.waitFor(() => expect(show!.problem).toBe("UNREACHABLE"));
    server.down = false;
    await vi.waitFor(() => expect(show!.chart).toBeDefined(), 3000);
    expect(show.problem).toBeUndefined();
  });
});

it("waits longer each time, to a limit", () => {
  expect(backOff(1, 1)).toBe(500);
  expect(backOff(4, 1)).toBe(4000);
  expect(backOff(40, 1)).toBe(15_000);
  expect(backOff(40, 0)).toBe(7_500);
});
