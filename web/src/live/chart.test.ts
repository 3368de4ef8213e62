// Places, seat ids and rows in pieces.
import { describe, expect, it } from "vitest";
import { Chart, placeInRow } from "./chart";
import { compacted } from "./compact";

const chart = new Chart("arena-night", compacted({
  chartHash: "c",
  seatsHash: "s",
  priceCategories: [
    { name: "silver", amount: 6000, currency: "EUR" },
    { name: "gold", amount: 12000, currency: "EUR" },
  ],
  sections: [
    {
      sectionId: "A",
      title: "Loge Süd",
      priceCategory: "gold",
      rows: [
        { row: "1", seats: ["1", "2", "3", "7"], breaks: [3] },
        { row: "2", seats: ["1", "2"] },
        { row: "1", seats: ["8", "9"], continues: true },
        { row: "1", seats: ["20"] },
      ],
    },
    { sectionId: "FLOOR", priceCategory: "silver", capacity: 3, rows: [] },
    { sectionId: "B", priceCategory: "silver", rows: [{ row: "2", seats: ["1", "2"] }] },
  ],
}));

describe("chart", () => {
  it("puts the pieces of a row together", () => {
    const [row, second] = chart.sections[0]!.rows;
    expect(row!.seats).toEqual(["1", "2", "3", "7", "8", "9", "20"]);
    expect(row!.breaks).toEqual([3, 6]);
    expect(row!.seats.map((_, index) => placeInRow(row!, index))).toEqual([0, 1, 2, 3, 6, 7, 8]);
    expect(second!.first).toBe(4);
  });

  it("names every place, and finds it by its name", () => {
    expect(chart.total).toBe(14);
    const ids = Array.from({ length: chart.total }, (_, place) => chart.seatId(place));
    expect(ids[8]).toBe("arena-night.A-1-20");
    expect(ids[10]).toBe("arena-night.FLOOR-2");
    expect(ids[13]).toBe("arena-night.B-2-2");
    expect(ids.map((id) => chart.place(id))).toEqual(ids.map((_, place) => place));
    for (const id of ["arena-night.A-1-4", "arena-night.FLOOR-4", "arena-night.X-1", "other.A-1-1", "arena-night.A-1"]) {
      expect(chart.place(id)).toBeUndefined();
    }
  });

  it("gives the dearest seats the first colour", () => {
    const [silver, gold] = chart.priceCategories;
    expect(gold!.color).toBe("#6750d6");
    expect(silver!.color).not.toBe(gold!.color);
    expect(chart.section(0).title).toBe("Loge Süd");
    expect(chart.section(12).title).toBe("B");
  });
});
