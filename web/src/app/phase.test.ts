// Where a sale stands: the service's word, and the clock between two of its answers.
import { describe, expect, it } from "vitest";
import { isOpen, standing } from "./phase";
import { routeOf } from "./route.svelte";

const show = { phase: "OnSale" as const, sales: { opensAt: 100, closesAt: 200, paused: false }, available: 50, total: 100 };

describe("a sale", () => {
  it("opens and closes by the clock", () => {
    expect([99, 100, 199, 200].map((now) => standing({ ...show, phase: "Scheduled" }, now))).toEqual(["Scheduled", "OnSale", "OnSale", "Closed"]);
  });

  it("may be paused, sold out, or nearly", () => {
    expect(standing({ ...show, sales: { ...show.sales, paused: true } }, 150)).toBe("Paused");
    expect(standing({ ...show, available: 0 }, 150)).toBe("SoldOut");
    expect(standing({ ...show, available: 4 }, 150)).toBe("Few");
    expect(standing({ ...show, available: 1, total: 10 }, 150)).toBe("Few");
    expect(standing({ ...show, available: 2, total: 10 }, 150)).toBe("OnSale");
    expect(standing({ ...show, phase: "Pending" }, 150)).toBe("Pending");
  });

  it("lets one choose while it is on", () => expect(["OnSale", "Few", "Paused", "SoldOut"].map((each) => isOpen(each as "Few"))).toEqual([true, true, false, false]));
});

describe("addresses", () => {
  it("lead to the list, a show, one's tickets or one of them", () => {
    expect(["", "?event=arena-night", "?tickets", "?tickets=a.b", "?event="].map(routeOf)).toEqual([
      { page: "list" },
      { page: "show", eventId: "arena-night" },
      { page: "tickets" },
      { page: "tickets", reservationId: "a.b" },
      { page: "list" },
    ]);
  });
});
