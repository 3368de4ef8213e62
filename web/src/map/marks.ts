// Seats that are one's own, chosen, lost, under the pointer or under the keyboard: painted over the others, and never too small.
import { lastUpto } from "../live/chart";
import { middleOf, outOf, rowOrigin, seatAt, slotOf } from "./plan";
import type { Scene } from "./painter";
import { turn } from "./painter";
import { colorUnder } from "./scenery";
import type { Context } from "./protocol";
import { LOST, MINE, paintSeat, SELECTED, type Kind } from "./sprites";

/** Diameter of a mark from afar, in CSS pixels. */
const DOT = 11;

export function paintMarks(context: Context, scene: Scene): void {
  const { marks } = scene;
  for (const place of marks.lost) mark(context, scene, place, LOST);
  for (const place of marks.mine) mark(context, scene, place, MINE);
  for (const place of marks.selected) mark(context, scene, place, SELECTED);
  if (marks.hover?.place !== undefined) ring(context, scene, marks.hover.place, scene.look.text, 1.5);
  if (marks.focus !== undefined) ring(context, scene, marks.focus, scene.look.accent, 3);
}

/** A seat's own middle and its section; undefined for units of areas. */
function seatOf(scene: Scene, place: number) {
  const section = scene.plan.sections[lastUpto(scene.plan.sections, place)];
  const seat = section && !section.isArea ? seatAt(section, place) : undefined;
  if (!section || !seat) return undefined;
  const origin = rowOrigin(section, seat.row);
  return { section, across: origin.x + slotOf(section.rows[seat.row]!, seat.index) + 0.5, down: origin.y };
}

function mark(context: Context, scene: Scene, place: number, kind: Kind): void {
  const { look, plan, view, ratio } = scene;
  const seat = seatOf(scene, place);
  if (!seat) return;
  const { section, across, down } = seat;
  const size = Math.max(1, (DOT * ratio) / view.k);
  const isSmall = size > 1.2;
  if (isSmall) {
    const middle = outOf(section, across, down);
    const [x, y] = [middle.x * view.k + view.x, middle.y * view.k + view.y];
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.beginPath();
    context.arc(x, y, (DOT / 2 + 1.5) * ratio, 0, 2 * Math.PI);
    context.fillStyle = look.ground;
    context.fill();
    context.setTransform(DOT * ratio, 0, 0, DOT * ratio, x - (DOT / 2) * ratio, y - (DOT / 2) * ratio);
    // From afar all are round.
    return paintSeat(context, 1, look.categories[section.category]!, kind, look);
  }
  turn(context, view, section);
  context.translate(across - size / 2, down - size / 2);
  context.scale(size, size);
  // The seat below is covered.
  context.fillStyle = colorUnder(look, section.category);
  context.fillRect(0, 0, 1, 1);
  // Ticks stand upright however the section is turned.
  context.translate(0.5, 0.5);
  context.transform(section.cos, -section.sin, section.sin, section.cos, 0, 0);
  context.translate(-0.5, -0.5);
  paintSeat(context, plan.categories[section.category]!, look.categories[section.category]!, kind, look);
}

function ring(context: Context, scene: Scene, place: number, color: string, width: number): void {
  const { view, ratio, look, plan } = scene;
  const section = plan.sections[lastUpto(plan.sections, place)];
  if (!section) return;
  const { x, y } = middleOf(section, place);
  const radius = Math.max(view.k * 0.56, 7 * ratio);
  context.setTransform(1, 0, 0, 1, 0, 0);
  for (const [stroke, thick] of [[look.ground, width + 2], [color, width]] as const) {
    context.beginPath();
    context.arc(x * view.k + view.x, y * view.k + view.y, radius, 0, 2 * Math.PI);
    context.strokeStyle = stroke;
    context.lineWidth = thick * ratio;
    context.stroke();
  }
}
