// The focal point as a thing to look at: a stage in front of the seats, or a field where seats are all around.
import type { Point } from "../live/chart";
import type { Bounds, Box, SectionPlan } from "./plan";

export interface Stage extends Box {
  kind: "stage" | "field";
}

/** Nothing of a stage comes nearer to a seat. */
const GAP = 2;
const RAYS = 16;
/** So exactly a largest size is found: to a thousandth of the hall. */
const STEPS = 10;

/** A convex polygon, and a circle around it: most of them are too far away to be looked at closely. */
interface Shape extends Point {
  corners: Point[];
  radius: number;
}

export function stageOf(sections: readonly SectionPlan[], focus: Point, bounds: Bounds): Stage | undefined {
  if (sections.length === 0) return undefined;
  const shapes = sections.map(shapeOf);
  // In a section there is no room for one.
  if (!isFree(shapes, { ...focus, corners: [focus], radius: 0 })) return undefined;
  const extent = Math.max(bounds[2] - bounds[0], bounds[3] - bounds[1]);
  const around = Array.from({ length: RAYS }, (_, ray) => isBlocked(shapes, focus, (ray / RAYS) * 2 * Math.PI, extent));
  // Corners may be open.
  if (around.filter(Boolean).length >= RAYS * 0.7) return field(shapes, focus, extent);
  return inFront(sections, shapes, focus, extent);
}

/** Seats all around: as large as there is room, in the shape of that room. */
function field(shapes: Shape[], focus: Point, extent: number): Stage | undefined {
  let best: Stage | undefined;
  for (const aspect of [0.5, 0.65, 0.8, 1, 1.25, 1.54, 2]) {
    const fits = (halfWidth: number) => isFree(shapes, rectangle(focus, halfWidth, halfWidth / aspect, 1, 0));
    const halfWidth = largest(fits, extent / 2);
    const box = { ...focus, halfWidth, halfHeight: halfWidth / aspect, cos: 1, sin: 0 };
    const area = halfWidth * box.halfHeight;
    if (halfWidth > 2 && area > (best ? best.halfWidth * best.halfHeight * 1.02 : 0)) best = { kind: "field", ...box };
  }
  // A ring with an audience around is no field.
  if (best && Math.min(best.halfWidth, best.halfHeight) < 20) best.kind = "stage";
  return best;
}

/** Seats on one side: turned towards their middle, its back to where there are none. */
function inFront(sections: readonly SectionPlan[], shapes: Shape[], focus: Point, extent: number): Stage | undefined {
  const seats = sections.reduce((sum, { count }) => sum + count, 0);
  const dx = sections.reduce((sum, { x, count }) => sum + (x - focus.x) * count, 0) / seats;
  const dy = sections.reduce((sum, { y, count }) => sum + (y - focus.y) * count, 0) / seats;
  // Down is where the seats are: a turn by less than ten degrees would only look crooked.
  const turned = Math.atan2(-dx, dy);
  const angle = Math.abs(turned) < 0.18 ? 0 : turned;
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  // How far it is to the seats.
  const reaches = (depth: number) => isFree(shapes, rectangle(shift(focus, depth / 2, cos, sin), 1, depth / 2, cos, sin));
  const front = Math.max(Math.min(largest(reaches, extent) - 1.2 * GAP, extent * 0.1), 0);
  const depth = Math.max(3, Math.min(extent * 0.09, 24));
  const middle = shift(focus, front - depth / 2, cos, sin);
  const fits = (halfWidth: number) => isFree(shapes, rectangle(middle, halfWidth + GAP, depth / 2 + 0.4, cos, sin));
  const halfWidth = largest(fits, extent * 0.24);
  return halfWidth < 1 ? undefined : { kind: "stage", ...middle, halfWidth, halfHeight: depth / 2, cos, sin };
}

function shift(point: Point, down: number, cos: number, sin: number): Point {
  return { x: point.x - down * sin, y: point.y + down * cos };
}

/** The largest number up to `most` that fits, where smaller ones do. */
function largest(fits: (value: number) => boolean, most: number): number {
  let [low, high] = [0, most];
  if (fits(most)) return most;
  for (let step = 0; step < STEPS; step++) {
    const middle = (low + high) / 2;
    if (fits(middle)) low = middle;
    else high = middle;
  }
  return low;
}

function rectangle(middle: Point, halfWidth: number, halfHeight: number, cos: number, sin: number): Shape {
  return shapeOf({ ...middle, halfWidth, halfHeight, cos, sin });
}

function shapeOf(box: Box): Shape {
  return { x: box.x, y: box.y, corners: cornersOf(box), radius: Math.hypot(box.halfWidth, box.halfHeight) };
}

function cornersOf({ x, y, halfWidth: w, halfHeight: h, cos, sin }: Box): Point[] {
  const corner = (across: number, down: number) => ({ x: x + across * cos - down * sin, y: y + across * sin + down * cos });
  return [corner(-w, -h), corner(w, -h), corner(w, h), corner(-w, h)];
}

/** Whether a shape keeps clear of all others. */
function isFree(shapes: Shape[], own: Shape): boolean {
  for (const shape of shapes) {
    const [dx, dy, far] = [shape.x - own.x, shape.y - own.y, shape.radius + own.radius];
    if (dx * dx + dy * dy > far * far) continue;
    if (!isApart(shape.corners, own.corners) && !isApart(own.corners, shape.corners)) return false;
  }
  return true;
}

/** Whether an edge of `a` has all of `b` outside. */
function isApart(a: Point[], b: Point[]): boolean {
  for (let at = 0; at < a.length; at++) {
    const [from, to] = [a[at]!, a[(at + 1) % a.length]!];
    const [dx, dy] = [to.x - from.x, to.y - from.y];
    let outside = 0;
    while (outside < b.length && dx * (b[outside]!.y - from.y) - dy * (b[outside]!.x - from.x) <= 0) outside++;
    if (outside === b.length) return true;
  }
  return false;
}

/** Whether a ray meets a shape. */
function isBlocked(shapes: Shape[], from: Point, angle: number, extent: number): boolean {
  const to = { x: from.x + Math.cos(angle) * extent, y: from.y + Math.sin(angle) * extent };
  const middle = { x: (from.x + to.x) / 2, y: (from.y + to.y) / 2 };
  return !isFree(shapes, { ...middle, corners: [from, to], radius: extent / 2 });
}
