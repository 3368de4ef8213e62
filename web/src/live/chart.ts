// The chart of a SeatingEvent: sections, rows, seats and prices. A seat's place is its number in the order of the chart.
import type { CompactChart, CompactRow } from "./compact";
import type { Status } from "./packed";
import { colorOf } from "./palette";

export type { Status };
export { STATUSES } from "./packed";

export interface Point {
  x: number;
  y: number;
}

/** Where a section stands on the map: its middle, and degrees clockwise. A seat is one wide. */
export interface Layout extends Point {
  angle: number;
}

export interface PriceCategory {
  name: string;
  /** In the smallest unit of the currency. */
  amount: number;
  currency: string;
  /** How many are dearer: colour and shape of its seats on the map follow from it. */
  nth: number;
  /** How the map paints its seats: `#rrggbb`. */
  color: string;
}

/** Seats of a row that follow each other in the order of the chart. */
export interface Piece {
  /** Place of its first seat. */
  first: number;
  /** Index of that seat in the row. */
  from: number;
  count: number;
}

export interface Row {
  name: string;
  /** Place of its first seat. */
  first: number;
  /** Numbers of its seats, in order. */
  seats: string[];
  /** Indices of seats that are no neighbours of the seat before: an aisle is in between. */
  breaks: number[];
  /** More than one where the chart describes the row in pieces that do not follow each other. */
  pieces: Piece[];
}

export interface Section {
  id: string;
  /** What people read; the id where the chart gives none. */
  title: string;
  /** Index into the chart's price categories. */
  priceCategory: number;
  /** Of a general-admission area: how many units it has. It has no rows then. */
  capacity?: number;
  /** Place of its first seat. */
  first: number;
  count: number;
  layout?: Layout;
  rows: Row[];
}

/** The place of a seat of a row, by its index in the row. */
export function placeInRow(row: Row, index: number): number {
  let piece = row.pieces[0]!;
  for (const next of row.pieces) if (next.from <= index) piece = next;
  return piece.first + index - piece.from;
}

export class Chart {
  readonly chartHash: string;
  readonly seatsHash: string;
  readonly focalPoint: Point | undefined;
  readonly priceCategories: PriceCategory[];
  readonly sections: Section[];
  /** How many seats there are, units of areas included. */
  readonly total: number;
  readonly #byId = new Map<string, Section>();

  /** `text` is what `compacted` makes of a chart: whoever works elsewhere is told it, and has the same chart. */
  constructor(
    readonly eventId: string,
    readonly text: string,
  ) {
    const body = JSON.parse(text) as CompactChart;
    this.chartHash = body.chartHash;
    this.seatsHash = body.seatsHash;
    this.focalPoint = body.focalPoint;
    const dearest = body.priceCategories.map(({ amount }) => amount).sort((a, b) => b - a);
    const taken = new Map<number, number>();
    this.priceCategories = body.priceCategories.map((category) => {
      // Colours follow the price, so that the dearest seats look alike in every show.
      const alike = taken.get(category.amount) ?? 0;
      taken.set(category.amount, alike + 1);
      const nth = dearest.indexOf(category.amount) + alike;
      return { ...category, nth, color: colorOf(nth) };
    });
    const categories = new Map(body.priceCategories.map(({ name }, index) => [name, index]));
    let first = 0;
    this.sections = body.sections.map((told) => {
      const { rows, count } = rowsOf(told.rows, first, body.lists);
      const section: Section = {
        id: told.sectionId,
        title: told.title ?? told.sectionId,
        priceCategory: categories.get(told.priceCategory) ?? 0,
        first,
        count: told.capacity ?? count,
        rows,
      };
      if (told.capacity !== undefined) section.capacity = told.capacity;
      if (told.layout) section.layout = { ...told.layout, angle: told.layout.angle ?? 0 };
      this.#byId.set(section.id, section);
      first += section.count;
      return section;
    });
    this.total = first;
  }

  sectionById(id: string): Section | undefined {
    return this.#byId.get(id);
  }

  section(place: number): Section {
    return this.sections[this.sectionIndex(place)]!;
  }

  /** Index of the section that has a place. */
  sectionIndex(place: number): number {
    return lastUpto(this.sections, place);
  }

  row(place: number): Row | undefined {
    return this.#seat(place)?.row;
  }

  /** The seat's number in its row, or the unit's in its area. */
  number(place: number): string {
    const seat = this.#seat(place);
    return seat ? seat.row.seats[seat.index]! : String(place - this.section(place).first + 1);
  }

  seatId(place: number): string {
    const section = this.section(place);
    const row = this.row(place);
    const within = row ? `${row.name}-${this.number(place)}` : this.number(place);
    return `${this.eventId}.${section.id}-${within}`;
  }

  place(seatId: string): number | undefined {
    const dot = seatId.indexOf(".");
    if (seatId.slice(0, dot) !== this.eventId) return undefined;
    const parts = seatId.slice(dot + 1).split("-");
    const section = this.#byId.get(parts[0]!);
    if (!section) return undefined;
    if (section.capacity !== undefined) {
      const unit = Number(parts[1]);
      const fits = parts.length === 2 && Number.isInteger(unit) && unit >= 1 && unit <= section.capacity;
      return fits ? section.first + unit - 1 : undefined;
    }
    const row = section.rows.find(({ name }) => name === parts[1]);
    const index = parts.length === 3 ? (row?.seats.indexOf(parts[2]!) ?? -1) : -1;
    return row && index >= 0 ? placeInRow(row, index) : undefined;
  }

  #seat(place: number): { row: Row; index: number } | undefined {
    for (const row of this.section(place).rows) {
      for (const piece of row.pieces) {
        const at = place - piece.first;
        if (at >= 0 && at < piece.count) return { row, index: piece.from + at };
      }
    }
    return undefined;
  }
}

/** Rows with their pieces put together. */
function rowsOf(told: readonly CompactRow[], first: number, lists: readonly string[][]) {
  const rows = new Map<string, Row>();
  let count = 0;
  for (const [name, list, breaks = [], continues = false] of told) {
    const seats = lists[list]!;
    const place = first + count;
    count += seats.length;
    const known = rows.get(name);
    if (!known) {
      rows.set(name, { name, first: place, seats, breaks, pieces: [{ first: place, from: 0, count: seats.length }] });
      continue;
    }
    const from = known.seats.length;
    known.seats = [...known.seats, ...seats];
    known.breaks = [...known.breaks, ...(continues ? [] : [from]), ...breaks.map((at) => from + at)];
    const last = known.pieces.at(-1)!;
    if (last.first + last.count === place) last.count += seats.length;
    else known.pieces.push({ first: place, from, count: seats.length });
  }
  return { rows: [...rows.values()], count };
}

/** Index of the last of all whose first place is not behind `place`. */
export function lastUpto(all: readonly { first: number }[], place: number): number {
  let low = 0;
  let high = all.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (all[middle]!.first <= place) low = middle;
    else high = middle - 1;
  }
  return low;
}
