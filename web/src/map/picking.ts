// What is under a point of the map: a grid over the sections, and within a section a computation.
import type { Point } from "../live/chart";
import { boundsOf, indexAt, into, placeAt, rowOrigin, type Bounds, type Plan } from "./plan";

export interface Picked {
  /** Index of the section. */
  section: number;
  /** Undefined beside its seats, and for an area. */
  place: number | undefined;
}

/** Sections are found so far beside them: what reaches further is no finger. */
const BESIDE = 1;
/** The grid has about so many cells along each side. */
const CELLS = 24;

export class Picker {
  readonly #cells: number[][];
  readonly #corner: Point;
  readonly #size: number;
  readonly #columns: number;

  constructor(readonly plan: Plan) {
    const [left, top, right, bottom] = wider(plan.bounds);
    this.#corner = { x: left, y: top };
    this.#size = Math.max((right - left) / CELLS, (bottom - top) / CELLS, 1);
    this.#columns = Math.ceil((right - left) / this.#size) + 1;
    const rows = Math.ceil((bottom - top) / this.#size) + 1;
    this.#cells = Array.from({ length: this.#columns * rows }, () => []);
    plan.sections.forEach((section, index) => {
      const [l, t, r, b] = wider(boundsOf([section]));
      for (let y = this.#cell(t - top); y <= this.#cell(b - top); y++) {
        for (let x = this.#cell(l - left); x <= this.#cell(r - left); x++) {
          this.#cells[y * this.#columns + x]?.push(index);
        }
      }
    });
  }

  /** The seat or the area at a point; `reach` is how far beside a seat counts, for fingers. */
  at(x: number, y: number, reach = 0): Picked | undefined {
    let beside: Picked | undefined;
    for (const index of this.#near(x, y)) {
      const section = this.plan.sections[index]!;
      const own = into(section, x, y);
      if (Math.abs(own.x) > section.halfWidth + reach || Math.abs(own.y) > section.halfHeight + reach) continue;
      if (section.isArea) return { section: index, place: undefined };
      const place = this.#seat(index, own.x, own.y) ?? (reach > 0 ? this.#nearest(index, own.x, own.y, reach) : undefined);
      if (place !== undefined) return { section: index, place };
      beside ??= { section: index, place: undefined };
    }
    return beside;
  }

  #cell(offset: number): number {
    return Math.floor(offset / this.#size);
  }

  #near(x: number, y: number): number[] {
    const column = this.#cell(x - this.#corner.x);
    if (column < 0 || column >= this.#columns) return [];
    return this.#cells[this.#cell(y - this.#corner.y) * this.#columns + column] ?? [];
  }

  #seat(index: number, across: number, down: number): number | undefined {
    const section = this.plan.sections[index]!;
    const number = Math.floor(down + section.rows.length / 2);
    const row = section.rows[number];
    if (!row) return undefined;
    const seat = indexAt(row, Math.floor(across - rowOrigin(section, number).x));
    return seat === undefined ? undefined : placeAt(row, seat);
  }

  #nearest(index: number, across: number, down: number, reach: number): number | undefined {
    for (const [x, y] of [[reach, 0], [-reach, 0], [0, reach], [0, -reach]] as const) {
      const place = this.#seat(index, across + x, down + y);
      if (place !== undefined) return place;
    }
    return undefined;
  }
}

function wider([left, top, right, bottom]: Bounds): Bounds {
  return [left - BESIDE, top - BESIDE, right + BESIDE, bottom + BESIDE];
}
