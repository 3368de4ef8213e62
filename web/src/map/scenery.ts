// What is no seat: the stage, plates under sections, areas with their counts, titles.
import { heatOf, inkOn, mix } from "./look";
import { outOf, type Box } from "./plan";
import type { Scene } from "./painter";
import { turn } from "./painter";
import type { Context } from "./protocol";
import type { Stage } from "./stage";

/** Titles stand on sections as long as their seats are too small to look at, in CSS pixels a seat. */
const TITLES_UPTO = 9;

export function paintStage(context: Context, scene: Scene, stage: Stage): void {
  const { look, view, words } = scene;
  turn(context, view, stage);
  const { halfWidth: w, halfHeight: h } = stage;
  const thin = Math.max(1.2 * scene.ratio / view.k, 0.12);
  context.lineWidth = thin;
  if (stage.kind === "field") {
    context.fillStyle = look.field;
    context.beginPath();
    context.roundRect(-w, -h, 2 * w, 2 * h, Math.min(w, h) * 0.05);
    context.fill();
    const inset = Math.min(w, h) * 0.1;
    context.strokeStyle = mix(look.field, look.dark ? "#ffffff" : "#1f6b3c", look.dark ? 0.16 : 0.22);
    context.beginPath();
    context.rect(-w + inset, -h + inset, 2 * (w - inset), 2 * (h - inset));
    const across = w > h;
    context.moveTo(across ? 0 : -w + inset, across ? -h + inset : 0);
    context.lineTo(across ? 0 : w - inset, across ? h - inset : 0);
    const radius = Math.min(w, h) * 0.24;
    context.moveTo(radius, 0);
    context.arc(0, 0, radius, 0, 2 * Math.PI);
    context.stroke();
    return;
  }
  // A bowed front edge, towards the seats.
  context.fillStyle = look.dark ? mix(look.ground, "#ffffff", 0.14) : "#23242f";
  const bow = Math.min(h * 0.7, w * 0.2);
  const corner = Math.min(h, w) * 0.28;
  context.beginPath();
  context.moveTo(-w * 0.94 + corner, -h);
  context.lineTo(w * 0.94 - corner, -h);
  context.quadraticCurveTo(w * 0.94, -h, w * 0.95, -h + corner);
  context.lineTo(w, h - bow);
  context.quadraticCurveTo(0, h + bow, -w, h - bow);
  context.lineTo(-w * 0.95, -h + corner);
  context.quadraticCurveTo(-w * 0.94, -h, -w * 0.94 + corner, -h);
  context.fill();
  const size = Math.min(h * 0.62 * view.k, w * 0.3 * view.k, 30 * scene.ratio);
  const spaced = [...words.stage.toUpperCase()].join("\u200a");
  text(context, scene, stage, 0, -h * 0.08, spaced, size, look.dark ? look.text : "#ffffff", 600);
}

/** The ground that the seats of a section stand on. */
export function paintPlate(context: Context, scene: Scene, index: number): void {
  const { look, view, plan, mode } = scene;
  const section = plan.sections[index]!;
  const { halfWidth: w, halfHeight: h } = section;
  turn(context, view, section);
  context.beginPath();
  context.roundRect(-w - 0.6, -h - 0.6, 2 * w + 1.2, 2 * h + 1.2, Math.min(1.6, 1 + h * 0.1));
  context.fillStyle = mode.heat ? heatOf(soldShare(scene, index), look) : mix(look.plate, look.categories[section.category]!, 0.07);
  context.fill();
}

/** A general-admission area: how full it is, and how many may still come. */
export function paintArea(context: Context, scene: Scene, index: number): void {
  const { look, view, plan, words, mode, ratio, tally, marks } = scene;
  const section = plan.sections[index]!;
  const { halfWidth: w, halfHeight: h } = section;
  const color = look.categories[section.category]!;
  const left = tally.of(index, 0);
  const share = section.count > 0 ? left / section.count : 0;
  turn(context, view, section);
  const radius = Math.min(w, h) * 0.14;
  context.beginPath();
  context.roundRect(-w, -h, 2 * w, 2 * h, radius);
  const isHovered = marks.hover?.section === index;
  context.fillStyle = mode.heat ? heatOf(soldShare(scene, index), look) : mix(look.ground, left > 0 ? color : look.reserved, left > 0 ? 0.14 + (isHovered ? 0.08 : 0) : 0.6);
  context.fill();
  context.lineWidth = Math.max((isHovered ? 2.5 : 1.5) * ratio / view.k, 0.15);
  context.strokeStyle = left > 0 ? mix(look.ground, color, 0.75) : look.line;
  context.stroke();
  const ink = left > 0 ? look.text : look.muted;
  const size = Math.min(h * 0.36 * view.k, w * 0.26 * view.k, 26 * ratio);
  text(context, scene, section, 0, -h * 0.2, section.title, size, ink, 650, w * 1.7);
  const count = new Intl.NumberFormat(words.locale).format(left);
  const said = mode.heat ? percent(scene, index) : left > 0 ? words.left.replace("{count}", count) : words.soldOut;
  text(context, scene, section, 0, h * 0.16, said, size * 0.62, look.muted, 500, w * 1.7);
  if (mode.heat) return;
  // How much is left, as a bar.
  const [length, thick] = [w * 0.9, Math.min(h * 0.07, w * 0.04)];
  const bar = (to: number, fill: string) => {
    context.beginPath();
    context.roundRect(-length / 2, h * 0.5, to, thick, thick / 2);
    context.fillStyle = fill;
    context.fill();
  };
  turn(context, view, section);
  bar(length, mix(look.ground, color, 0.22));
  if (left > 0) bar(Math.max(thick, length * share), color);
}

/** What a section is called, and in the operators' view how much of it is sold. */
export function paintTitle(context: Context, scene: Scene, index: number): void {
  const { look, view, plan, ratio, mode } = scene;
  const section = plan.sections[index]!;
  const css = view.k / ratio;
  if (css > TITLES_UPTO) return;
  const room = { across: extent(section, 1, 0) * view.k, down: extent(section, 0, 1) * view.k };
  const lines = mode.heat ? [section.title, percent(scene, index)] : [section.title];
  let size = Math.min(15 * ratio, Math.max(9.5 * ratio, room.down * 0.22));
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.font = `650 ${size}px ${look.font}`;
  let width = Math.max(...lines.map((line) => context.measureText(line).width));
  const most = room.across * 0.96 - 6 * ratio;
  if (width > most) {
    size *= most / width;
    width = most;
  }
  if (size < 6.5 * ratio) return;
  const { x, y } = { x: section.x * view.k + view.x, y: section.y * view.k + view.y };
  const height = size * 1.2 * lines.length;
  if (height + 3 * ratio > room.down) return;
  context.globalAlpha = Math.min(1, (TITLES_UPTO - css) / 2);
  if (!mode.heat) {
    const pad = { x: size * 0.5, y: size * 0.16 };
    context.beginPath();
    context.roundRect(x - width / 2 - pad.x, y - height / 2 - pad.y, width + 2 * pad.x, height + 2 * pad.y, (height + 2 * pad.y) / 2);
    context.fillStyle = look.ground;
    context.globalAlpha *= 0.92;
    context.fill();
    context.globalAlpha = Math.min(1, (TITLES_UPTO - css) / 2);
  }
  const ink = mode.heat ? inkOn(heatOf(soldShare(scene, index), look)) : look.text;
  context.textAlign = "center";
  context.textBaseline = "middle";
  lines.forEach((line, at) => {
    context.font = `${at === 0 ? 650 : 500} ${size}px ${look.font}`;
    context.fillStyle = ink;
    context.fillText(line, x, y + (at - (lines.length - 1) / 2) * size * 1.2 + size * 0.06);
  });
  context.globalAlpha = 1;
}

/** How much of a section is sold, of what was ever for sale. */
function soldShare({ tally, plan }: Scene, index: number): number {
  const all = plan.sections[index]!.count - tally.of(index, 3);
  return all > 0 ? (tally.of(index, 2) + tally.of(index, 1)) / all : 1;
}

function percent(scene: Scene, index: number): string {
  return new Intl.NumberFormat(scene.words.locale, { style: "percent" }).format(soldShare(scene, index));
}

/** How far a box reaches in a direction, from one end to the other. */
function extent({ halfWidth, halfHeight, cos, sin }: Box, x: number, y: number): number {
  return 2 * (halfWidth * Math.abs(cos * x + sin * y) + halfHeight * Math.abs(-sin * x + cos * y));
}

/** An upright text at a point of a box. */
function text(
  context: Context,
  { view, look }: Scene,
  box: Box,
  across: number,
  down: number,
  said: string,
  size: number,
  color: string,
  weight: number,
  most?: number,
): void {
  if (size < 6) return;
  const { x, y } = outOf(box, across, down);
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.font = `${weight} ${size}px ${look.font}`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillStyle = color;
  context.fillText(said, x * view.k + view.x, y * view.k + view.y, most === undefined ? undefined : most * view.k);
}
