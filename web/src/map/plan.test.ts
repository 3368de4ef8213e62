// Where seats stand, and which seat stands where.
import { describe, expect, it } from "vitest";
import { Chart } from "../live/chart";
import { compacted, type ChartBody } from "../live/compact";
import { Picker } from "./picking";
import { indexAt, middleOf, overlap, planOf, slotOf } from "./plan";

type Told = ChartBody["sections"][number];

function chart(sections: Told[], focalPoint = { x: 0, y: 0 }): Chart {
  const priceCategories = [{ name: "p", amount: 1, currency: "EUR" }];
  return new Chart("e", compacted({ chartHash: "c", seatsHash: "s", focalPoint, priceCategories, sections }));
}

function block(sectionId: string, rows: number, seats: number, layout?: Told["layout"]): Told {
  const numbers = Array.from({ length: seats }, (_, at) => String(at + 1));
  const told: Told = { sectionId, priceCategory: "p", rows: Array.from({ length: rows }, (_, at) => ({ row: String(at + 1), seats: numbers })) };
  if (layout) told.layout = layout;
  return told;
}

describe("plan", () => {
  it("puts a section around its layout and turns it clockwise", () => {
    const { sections } = planOf(chart([block("A", 3, 5, { x: 10, y: 20, angle: 0 }), block("B", 3, 5, { x: 50, y: 20, angle: 90 })]));
    expect(middleOf(sections[0]!, 0)).toEqual({ x: 8, y: 19 });
    expect(middleOf(sections[0]!, 14)).toEqual({ x: 12, y: 21 });
    // At 90 degrees the first row is the one to the right.
    expect(middleOf(sections[1]!, 15)).toEqual({ x: 51, y: 18 });
    expect(middleOf(sections[1]!, 19)).toEqual({ x: 51, y: 22 });
    expect(middleOf(sections[1]!, 25)).toEqual({ x: 49, y: 18 });
  });

  it("lays sections out one behind the other where nothing says otherwise", () => {
    const { sections } = planOf(chart([block("A", 3, 20), block("B", 4, 21), { sectionId: "F", priceCategory: "p", capacity: 50, rows: [] }]));
    expect(middleOf(sections[0]!, 0)).toEqual({ x: -9.5, y: 1 });
    expect(middleOf(sections[1]!, 60)).toEqual({ x: -10, y: 5 });
    expect(sections[2]!.y - sections[2]!.halfHeight).toBeGreaterThan(8);
  });

  it("breaks a tower of sections into columns that do not overlap", () => {
    const { sections, bounds } = planOf(chart(Array.from({ length: 40 }, (_, at) => block(`S${at}`, 20, 30))));
    expect((bounds[3] - bounds[1]) / (bounds[2] - bounds[0])).toBeLessThan(2);
    const pairs = sections.flatMap((a, at) => sections.slice(at + 1).map((b) => [a, b] as const));
    expect(pairs.some(([a, b]) => overlap(a, b, 0))).toBe(false);
  });

  it("makes areas as large as there is room", () => {
    const { sections } = planOf(
      chart([
        { sectionId: "F", priceCategory: "p", capacity: 5000, rows: [], layout: { x: 0, y: 30, angle: 0 } },
        block("A", 10, 40, { x: 0, y: 60, angle: 0 }),
        block("B", 10, 40, { x: -40, y: 30, angle: 90 }),
      ]),
    );
    expect(overlap(sections[0]!, sections[1]!, 0)).toBe(false);
    expect(overlap(sections[0]!, sections[2]!, 0)).toBe(false);
    expect(sections[0]!.halfWidth).toBeGreaterThan(15);
  });

  it("counts aisles as slots", () => {
    const row = { name: "1", width: 6, list: 0, breaks: [2, 3], pieces: [{ first: 0, from: 0, count: 4 }] };
    expect([0, 1, 2, 3].map((index) => slotOf(row, index))).toEqual([0, 1, 3, 5]);
    expect([-1, 0, 1, 2, 3, 4, 5, 6].map((slot) => indexAt(row, slot))).toEqual([undefined, 0, 1, undefined, 2, undefined, 3, undefined]);
  });
});

describe("the focal point", () => {
  it("is a field where seats are all around, a stage where they are in front", () => {
    const around = [[0, -60, 180], [0, 60, 0], [-80, 0, 90], [80, 0, 270]].map(([x, y, angle], at) =>
      block(`S${at}`, 20, at < 2 ? 140 : 100, { x: x!, y: y!, angle: angle! }),
    );
    const field = planOf(chart(around));
    expect(field.stage?.kind).toBe("field");
    expect(field.stage!.halfWidth).toBeGreaterThan(field.stage!.halfHeight);
    expect(field.sections.some((section) => overlap(section, field.stage!, 0))).toBe(false);

    const theatre = planOf(chart([block("A", 10, 16, { x: 0, y: 10, angle: 0 })]));
    expect(theatre.stage?.kind).toBe("stage");
    expect(theatre.stage!.y + theatre.stage!.halfHeight).toBeLessThan(5);
    const turned = planOf(chart([block("A", 10, 16, { x: -10, y: 0, angle: 90 })]));
    expect(turned.stage!.x - turned.stage!.halfHeight).toBeGreaterThan(-5);
  });

  it("is nothing within a section", () => {
    expect(planOf(chart([block("A", 10, 16, { x: 0, y: 0, angle: 0 })])).stage).toBeUndefined();
  });
});

describe("picking", () => {
  const sections = [
    block("A", 4, 10, { x: 0, y: 10, angle: 0 }),
    block("B", 5, 7, { x: 30, y: 10, angle: 30 }),
    { ...block("C", 1, 4, { x: 0, y: 40, angle: 200 }), rows: [{ row: "1", seats: ["1", "2", "3", "9"], breaks: [2] }] },
    { sectionId: "F", priceCategory: "p", capacity: 50, rows: [], layout: { x: 60, y: 60, angle: 0 } },
  ];
  const plan = planOf(chart(sections));
  const picker = new Picker(plan);

  it("finds every seat at its middle", () => {
    for (const [at, section] of plan.sections.entries()) {
      if (section.isArea) continue;
      for (let place = section.first; place < section.first + section.count; place++) {
        const { x, y } = middleOf(section, place);
        expect(picker.at(x, y)).toEqual({ section: at, place });
      }
    }
  });

  it("finds areas, nothing elsewhere, and what is near for a finger", () => {
    expect(picker.at(60, 60)).toEqual({ section: 3, place: undefined });
    expect(picker.at(-40, -40)).toBeUndefined();
    expect(picker.at(1000, 1000)).toBeUndefined();
    const first = middleOf(plan.sections[0]!, 0);
    expect(picker.at(first.x - 0.7, first.y)).toBeUndefined();
    expect(picker.at(first.x - 0.7, first.y, 0.4)).toEqual({ section: 0, place: 0 });
  });
});
