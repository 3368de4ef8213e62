// A chart made small is the same chart.
import { expect, it } from "vitest";
import { compacted, type CompactChart } from "./compact";

it("keeps each list of numbers once, and says what is rare only where it is", () => {
  const numbers = ["1", "2", "3"];
  const rows = [
    { row: "1", seats: [...numbers] },
    { row: "2", seats: [...numbers], breaks: [2] },
    { row: "1", seats: ["7"], continues: true },
  ];
  const sections = [{ sectionId: "A", priceCategory: "p", rows }];
  const small = JSON.parse(compacted({ chartHash: "c", seatsHash: "s", priceCategories: [], sections })) as CompactChart;
  expect(small.lists).toEqual([numbers, ["7"]]);
  expect(small.sections[0]!.rows).toEqual([["1", 0], ["2", 0, [2], false], ["1", 1, [], true]]);
});
