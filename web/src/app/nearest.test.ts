// What is offered in place of lost seats: as many neighbours, as near as there are.
import { describe, expect, it } from "vitest";
import { Chart } from "../live/chart";
import { compacted } from "../live/compact";
import { nearest } from "./nearest";

const numbers = Array.from({ length: 10 }, (_, index) => String(index + 1));
const chart = new Chart("show", compacted({
  chartHash: "",
  seatsHash: "",
  priceCategories: [{ name: "gold", amount: 1, currency: "EUR" }],
  sections: [
    {
      sectionId: "A",
      priceCategory: "gold",
      rows: [
        { row: "1", seats: numbers },
        { row: "2", seats: numbers, breaks: [5] },
        { row: "3", seats: numbers },
      ],
    },
    { sectionId: "FLOOR", priceCategory: "gold", capacity: 5, rows: [] },
  ],
}));
const ids = (...names: string[]) => names.map((name) => chart.place(`show.${name}`) ?? -1);
const offer = (lost: number[], taken: number[]) =>
  nearest(chart, lost, (place) => !lost.includes(place) && !taken.includes(place)).map((place) => chart.seatId(place));

describe("the nearest seats", () => {
  it("are beside the lost one", () => expect(offer(ids("A-1-5"), ids("A-1-4"))).toEqual(["show.A-1-6"]));

  it("are as many, side by side, and not across an aisle", () => {
    const taken = ids(...numbers.map((number) => `A-1-${number}`), "A-2-3", "A-2-8");
    // Of row 2, 4 to 5 and 6 to 7 are neighbours; 5 and 6 are not.
    expect(offer(ids("A-1-5", "A-1-6"), taken)).toEqual(["show.A-2-4", "show.A-2-5"]);
  });

  it("may be a row away, when the own row has none so near", () => {
    const taken = ids("A-1-2", "A-1-3", "A-1-4", "A-1-6", "A-1-7", "A-1-8");
    expect(offer(ids("A-1-5"), taken)).toEqual(["show.A-2-5"]);
  });

  it("are none where there are none, and none for areas", () => {
    expect(nearest(chart, ids("A-1-5"), () => false)).toEqual([]);
    expect(nearest(chart, ids("FLOOR-1"), () => true)).toEqual([]);
    expect(nearest(chart, [], () => true)).toEqual([]);
  });
});
