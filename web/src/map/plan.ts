// Where everything stands: a chart laid out on a plane, in seats (a seat is one wide). Plain data, fit for a worker.
import type { Chart, Point, Row } from "../live/chart";
import { stageOf, type Stage } from "./stage";

/** A rectangle that is turned around its middle; degrees are kept as their cosine and sine. */
export interface Box extends Point {
  /** Half its width and half its height, before it is turned. */
  halfWidth: number;
  halfHeight: number;
  cos: number;
  sin: number;
}

/** A row of seats on a straight line: seat `index` stands at slot `index` plus how many aisles are before it. */
export interface RowPlan {
  name: string;
  /** Slots, aisles included. */
  width: number;
  /** Index into the plan's lists of numbers. */
  list: number;
  breaks: number[];
  pieces: Row["pieces"];
}

export interface SectionPlan extends Box {
  id: string;
  title: string;
  category: number;
  first: number;
  count: number;
  isArea: boolean;
  /** Whether there is room for a title above it, close up. */
  isTitled: boolean;
  rows: RowPlan[];
}

/** Left, top, right, bottom. */
export type Bounds = [number, number, number, number];

export interface Plan {
  sections: SectionPlan[];
  /** Numbers of the seats of a row; rows with the same numbers share a list. */
  lists: string[][];
  stage: Stage | undefined;
  bounds: Bounds;
  total: number;
  /** Of each price category: how many are dearer. */
  categories: number[];
}

/** Free space between sections that the chart places nowhere. */
const BETWEEN = 1;
/** How much wider than deep an area is. */
const AREA_ASPECT = 1.6;

export function planOf(chart: Chart): Plan {
  const lists: string[][] = [];
  const known = new Map<string[], number>();
  const listOf = (seats: string[]) => {
    const at = known.get(seats) ?? lists.push(seats) - 1;
    known.set(seats, at);
    return at;
  };
  const sections = chart.sections.map((section): SectionPlan => {
    const rows = section.rows.map(({ name, seats, breaks, pieces }): RowPlan => {
      return { name, width: seats.length + breaks.length, list: listOf(seats), breaks, pieces };
    });
    const isArea = section.capacity !== undefined;
    const width = isArea ? areaWidth(section.count) : Math.max(1, ...rows.map((row) => row.width));
    const height = isArea ? width / AREA_ASPECT : Math.max(1, rows.length);
    const angle = ((section.layout?.angle ?? 0) * Math.PI) / 180;
    return {
      id: section.id,
      title: section.title,
      category: section.priceCategory,
      first: section.first,
      count: section.count,
      isArea,
      isTitled: false,
      rows,
      x: section.layout?.x ?? 0,
      y: section.layout?.y ?? 0,
      halfWidth: width / 2,
      halfHeight: height / 2,
      cos: exact(Math.cos(angle)),
      sin: exact(Math.sin(angle)),
    };
  });
  const isPlaced = chart.sections.map(({ layout }) => layout !== undefined);
  placeOthers(sections, isPlaced);
  for (const area of sections.filter(({ isArea }, at) => isArea && isPlaced[at])) shrink(area, sections);
  const grounds = sections.map(groundOf);
  sections.forEach((section, at) => (section.isTitled = !section.isArea && hasRoomAbove(at, grounds)));
  const stage = stageOf(sections, chart.focalPoint ?? { x: 0, y: 0 }, boundsOf(sections));
  const bounds = boundsOf(stage ? [...sections, stage] : sections);
  const categories = chart.priceCategories.map(({ nth }) => nth);
  return { sections, lists, stage, bounds, total: chart.total, categories };
}

/** Quarter turns are exact. */
function exact(value: number): number {
  return Math.abs(value) < 1e-12 ? 0 : Math.abs(value) > 1 - 1e-12 ? Math.sign(value) : value;
}

/** Those who stand take less room than those who sit. */
function areaWidth(capacity: number): number {
  return Math.max(8, Math.sqrt(capacity * AREA_ASPECT * 1.1));
}

/**
 * Sections without layout: each behind the one before it, areas last, behind everything that has a place. So the search for
 * the best seats sees them, too. A tower of sections is broken into columns.
 */
function placeOthers(sections: SectionPlan[], isPlaced: boolean[]): void {
  const placed = sections.filter((_, at) => isPlaced[at]);
  const rest = sections.filter((_, at) => !isPlaced[at]);
  const others = [...rest.filter(({ isArea }) => !isArea), ...rest.filter(({ isArea }) => isArea)];
  if (others.length === 0) return;
  const top = placed.length > 0 ? boundsOf(placed)[3] + 2 * BETWEEN : 0.5;
  const widest = Math.max(...others.map(({ halfWidth }) => 2 * halfWidth));
  const depth = others.reduce((sum, { halfHeight }) => sum + 2 * halfHeight + BETWEEN, 0);
  // Columns until it is not much deeper than wide.
  const columns = depth > 2 * widest ? Math.min(others.length, Math.ceil(Math.sqrt(depth / (1.2 * widest)))) : 1;
  let y = top;
  for (let from = 0; from < others.length; from += columns) {
    const line = others.slice(from, from + columns);
    const width = line.reduce((sum, { halfWidth }) => sum + 2 * halfWidth + 2 * BETWEEN, -2 * BETWEEN);
    let x = -width / 2;
    for (const section of line) {
      section.x = x + section.halfWidth;
      section.y = y + section.halfHeight;
      x += 2 * section.halfWidth + 2 * BETWEEN;
    }
    y += Math.max(...line.map(({ halfHeight }) => 2 * halfHeight)) + BETWEEN + (columns > 1 ? BETWEEN : 0);
  }
}

/** An area gives way to the seats around it. */
function shrink(area: SectionPlan, sections: SectionPlan[]): void {
  const others = sections.filter((other) => other !== area && !other.isArea);
  for (let step = 0; step < 40 && others.some((other) => overlap(area, other, 1.5)); step++) {
    area.halfWidth *= 0.94;
    area.halfHeight *= 0.94;
  }
}

/** Whether a line of text fits between a section and what is above it. */
function hasRoomAbove(at: number, grounds: readonly Box[]): boolean {
  const halfHeight = 0.75;
  const ground = grounds[at]!;
  const y = boundsOf([ground])[1] - halfHeight;
  const halfWidth = Math.min(4, reach(ground, 1, 0));
  const line = { x: ground.x, y, halfWidth, halfHeight, cos: 1, sin: 0 };
  return !grounds.some((other, index) => index !== at && overlap(line, other, 0));
}

/** The ground that a section stands on: beside its seats are the names of rows. */
export function groundOf({ x, y, halfWidth, halfHeight, cos, sin }: Box): Box {
  return { x, y, halfWidth: halfWidth + 0.9, halfHeight: halfHeight + 0.5, cos, sin };
}

/** Whether two boxes come nearer to each other than `gap`: no axis separates them. */
export function overlap(a: Box, b: Box, gap: number): boolean {
  // Of a hall's sections most are far away.
  const far = a.halfWidth + a.halfHeight + b.halfWidth + b.halfHeight + gap;
  const [dx, dy] = [b.x - a.x, b.y - a.y];
  if (dx * dx + dy * dy >= far * far) return false;
  const meet = (x: number, y: number) => Math.abs(dx * x + dy * y) < reach(a, x, y) + reach(b, x, y) + gap;
  return meet(a.cos, a.sin) && meet(-a.sin, a.cos) && meet(b.cos, b.sin) && meet(-b.sin, b.cos);
}

function reach({ halfWidth, halfHeight, cos, sin }: Box, x: number, y: number): number {
  return halfWidth * Math.abs(cos * x + sin * y) + halfHeight * Math.abs(-sin * x + cos * y);
}

export function boundsOf(boxes: readonly Box[]): Bounds {
  const bounds: Bounds = [Infinity, Infinity, -Infinity, -Infinity];
  for (const box of boxes) {
    const [x, y] = [reach(box, 1, 0), reach(box, 0, 1)];
    bounds[0] = Math.min(bounds[0], box.x - x);
    bounds[1] = Math.min(bounds[1], box.y - y);
    bounds[2] = Math.max(bounds[2], box.x + x);
    bounds[3] = Math.max(bounds[3], box.y + y);
  }
  return boxes.length > 0 ? bounds : [-10, -10, 10, 10];
}

/** From the map to a box's own coordinates: across and down from its middle. */
export function into(box: Box, x: number, y: number): Point {
  const [dx, dy] = [x - box.x, y - box.y];
  return { x: dx * box.cos + dy * box.sin, y: -dx * box.sin + dy * box.cos };
}

/** From a box's own coordinates to the map. */
export function outOf(box: Box, across: number, down: number): Point {
  return { x: box.x + across * box.cos - down * box.sin, y: box.y + across * box.sin + down * box.cos };
}

/** The slot of a seat of a row, aisles counted. */
export function slotOf(row: RowPlan, index: number): number {
  let slot = index;
  for (const at of row.breaks) if (at <= index) slot++;
  return slot;
}

/** The seat at a slot; undefined for an aisle and beside the row. */
export function indexAt(row: RowPlan, slot: number): number | undefined {
  let index = slot;
  let aisles = 0;
  for (const at of row.breaks) {
    // The aisle before seat `at` takes the slot that the seat would have.
    if (at + aisles === slot) return undefined;
    if (at + aisles < slot) {
      index--;
      aisles++;
    }
  }
  return slot >= 0 && slot < row.width ? index : undefined;
}

/** Where a row's first slot begins, and where the row's middle line is, in the section's own coordinates. */
export function rowOrigin(section: SectionPlan, row: number): Point {
  return { x: -section.rows[row]!.width / 2, y: row + 0.5 - section.rows.length / 2 };
}

/** Place of the seat at an index of a row. */
export function placeAt(row: RowPlan, index: number): number {
  let piece = row.pieces[0]!;
  for (const next of row.pieces) if (next.from <= index) piece = next;
  return piece.first + index - piece.from;
}

/** Row and index of a place of a section with rows. */
export function seatAt(section: SectionPlan, place: number): { row: number; index: number } | undefined {
  for (const [row, { pieces }] of section.rows.entries()) {
    for (const { first, from, count } of pieces) {
      if (place >= first && place < first + count) return { row, index: from + place - first };
    }
  }
  return undefined;
}

/** The middle of a seat, or of the area that a unit belongs to, on the map. */
export function middleOf(section: SectionPlan, place: number): Point {
  const seat = section.isArea ? undefined : seatAt(section, place);
  if (!seat) return { x: section.x, y: section.y };
  const origin = rowOrigin(section, seat.row);
  return outOf(section, origin.x + slotOf(section.rows[seat.row]!, seat.index) + 0.5, origin.y);
}
