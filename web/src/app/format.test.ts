// Money in its currency, countdowns, and what is spoken of them.
import { describe, expect, it } from "vitest";
import { countdown } from "../live/countdown";
import { money, spoken } from "./format";
import { nextMark } from "./show/marks";

describe("money", () => {
  it("has as many digits as its currency", () => {
    expect([money(12_000, "EUR"), money(12_000, "JPY"), money(12_345, "BHD").replace(/\s/g, " ")]).toEqual(["€120.00", "¥12,000", "BHD 12.345"]);
  });
});

describe("a countdown", () => {
  it("counts a begun second, and ends at zero", () => {
    expect([600_000, 59_001, 59_000, 1, 0, -5].map(countdown)).toEqual(["10:00", "1:00", "0:59", "0:01", "0:00", "0:00"]);
    expect(countdown(3_723_000)).toBe("1:02:03");
  });

  it("is spoken by its two largest parts", () => {
    expect([spoken(0), spoken(61_000), spoken(86_400_000 * 2 + 3_600_000), spoken(1)]).toEqual([
      "0 seconds",
      "1 minute 1 second",
      "2 days 1 hour",
      "1 second",
    ]);
  });

  it("is spoken at its marks alone, once each", () => {
    expect(nextMark(undefined, 600_000)).toBeUndefined();
    expect(nextMark(121_000, 120_000)).toBe(120_000);
    expect(nextMark(120_000, 119_000)).toBeUndefined();
    // A tab that slept says the latest alone; an extension and the end say nothing here.
    expect(nextMark(120_001, 9_000)).toBe(10_000);
    expect(nextMark(10_000, 600_000)).toBeUndefined();
    expect(nextMark(1_000, 0)).toBeUndefined();
  });
});
