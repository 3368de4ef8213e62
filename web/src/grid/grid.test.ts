// The list of seats: where keys lead, and which seats names mean.
import { describe, expect, it } from "vitest";
import { Chart } from "../live/chart";
import { compacted } from "../live/compact";
import { move, windowOf } from "./moves";
import { example, find } from "./names";

describe("keys", () => {
  const lengths = [3, 20, 5, ...Array.from({ length: 30 }, () => 10)];
  const from = { row: 1, seat: 10 };

  it.each([
    ["ArrowRight", { row: 1, seat: 11 }],
    ["ArrowLeft", { row: 1, seat: 9 }],
    ["ArrowUp", { row: 0, seat: 2 }],
    ["ArrowDown", { row: 2, seat: 4 }],
    ["Home", { row: 1, seat: 0 }],
    ["End", { row: 1, seat: 19 }],
    ["PageDown", { row: 11, seat: 9 }],
    ["PageUp", { row: 0, seat: 2 }],
  ])("%s", (key, to) => expect(move(key, from, lengths)).toEqual(to));

  it("go to the ends of the section with Control", () => {
    expect([move("Home", from, lengths, true), move("End", from, lengths, true)]).toEqual([
      { row: 0, seat: 0 },
      { row: 32, seat: 9 },
    ]);
  });

  it("do not leave the grid, and others are not ours", () => {
    expect(move("ArrowLeft", { row: 0, seat: 0 }, lengths)).toEqual({ row: 0, seat: 0 });
    expect(move("ArrowDown", { row: 32, seat: 9 }, lengths)).toEqual({ row: 32, seat: 9 });
    expect(move("a", from, lengths)).toBeUndefined();
  });

  it("show a long section piece by piece", () => {
    expect([windowOf(0, 100, 40), windowOf(39, 100, 40), windowOf(40, 100, 40), windowOf(99, 100, 40)]).toEqual([
      { from: 0, to: 40 },
      { from: 0, to: 40 },
      { from: 40, to: 80 },
      { from: 80, to: 100 },
    ]);
  });
});

describe("names", () => {
  const chart = new Chart("show", compacted({
    chartHash: "",
    seatsHash: "",
    priceCategories: [{ name: "gold", amount: 1, currency: "EUR" }],
    sections: [
      { sectionId: "A", title: "Loge Süd", priceCategory: "gold", rows: [{ row: "12", seats: ["1", "2", "3", "4"] }] },
      { sectionId: "A1", priceCategory: "gold", rows: [{ row: "B", seats: ["7"] }, { row: "B", seats: ["9"], continues: true }] },
      { sectionId: "FLOOR", title: "Standing", priceCategory: "gold", capacity: 10, rows: [] },
    ],
  }));

  it.each([
    ["A-12-4", 3],
    ["a 12 4", 3],
    ["show.A-12-4", 3],
    ["loge sud, row 12, seat 4", 3],
    ["Loge Süd Reihe 12 Platz 4", 3],
    ["A1-b-9", 5],
  ])("%s", (typed, place) => expect(find(chart, typed)).toEqual({ kind: "seat", place }));

  it("of sections and areas lead there", () => {
    expect(find(chart, "standing")).toMatchObject({ kind: "section", section: { id: "FLOOR" } });
    expect(find(chart, "FLOOR-3")).toMatchObject({ kind: "section", section: { id: "FLOOR" } });
    expect(find(chart, "A1")).toMatchObject({ kind: "section", section: { id: "A1" } });
  });

  it("that nothing is called are said to be so", () => {
    expect([find(chart, "Z-1-1"), find(chart, "A-13-1"), find(chart, "A-12-9"), find(chart, "A-12-4-4")]).toEqual([
      { kind: "unknown", isSection: true },
      { kind: "unknown", isSection: false },
      { kind: "unknown", isSection: false },
      { kind: "unknown", isSection: false },
    ]);
  });

  it("have an example that is one", () => expect(find(chart, example(chart)).kind).toBe("seat"));
});
