// What is no seat: the stage, plates under sections, areas with their counts, titles.
import { numbers } from "../intl";
import { heatOf, inkOn, mix, type Look } from "./look";
import { boundsOf, groundOf, outOf, type Box } from "./plan";
import type { Scene } from "./painter";
import { strengthOf, turn } from "./painter";
import type { Context } from "./protocol";
import type { Stage } from "./stage";

/** Titles stand on sections as long as their seats are too small to look at, in CSS pixels a seat. */
export const TITLES_UPTO = 9;

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

/** The colour under seats of a category. */
export function colorUnder(look: Look, category: number): string {
  return mix(look.plate, look.categories[category]!, 0.07);
}

/** The ground that the seats of a section stand on. */
export function paintPlate(context: Context, scene: Scene, index: number): void {
  const { look, view, plan, mode } = scene;
  const section = plan.sections[index]!;
  const { halfWidth: w, halfHeight: h } = groundOf(section);
  turn(context, view, section);
  context.beginPath();
  context.roundRect(-w, -h, 2 * w, 2 * h, 1);
  context.fillStyle = mode.heat ? heatOf(soldShare(scene, index), look) : colorUnder(look, section.category);
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
  const count = numbers(words.locale).format(left);
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

/**
 * What a section is called, and in the operators' view how much of it is sold: on its seats from afar, above them close up.
 */
export function paintTitle(context: Context, scene: Scene, index: number): void {
  const { look, view, plan, ratio, mode } = scene;
  const section = plan.sections[index]!;
  if (strengthOf(scene, section) < 1) return;
  const css = view.k / ratio;
  const middle = { x: section.x * view.k + view.x, y: section.y * view.k + view.y };
  const room = { across: extent(section, 1, 0) * view.k, down: extent(section, 0, 1) * view.k };
  // Of one that stands askew, what is within.
  const isAskew = Math.abs(section.cos * section.sin) > 0.2;
  const inner = isAskew ? 2.4 * Math.min(section.halfWidth, section.halfHeight) * view.k : Infinity;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.setTransform(1, 0, 0, 1, 0, 0);
  if (css > TITLES_UPTO) {
    if (!section.isTitled) return;
    const size = 13 * ratio;
    const y = boundsOf([groundOf(section)])[1] * view.k + view.y - size * 0.7;
    context.font = `650 ${size}px ${look.font}`;
    context.lineJoin = "round";
    context.lineWidth = 4 * ratio;
    context.strokeStyle = look.ground;
    context.strokeText(section.title, middle.x, y);
    context.fillStyle = look.text;
    return context.fillText(section.title, middle.x, y);
  }
  const lines = mode.heat ? [section.title, percent(scene, index)] : [section.title];
  const wanted = Math.min(13 * ratio, Math.max(10 * ratio, Math.min(room.down, room.across) * 0.24));
  context.font = `650 ${wanted}px ${look.font}`;
  const width = Math.max(...lines.map((line) => context.measureText(line).width)) / wanted;
  const height = 1.2 * lines.length;
  const fits = (across: number, down: number) => {
    return Math.min(wanted, (across * 0.94) / (width + 0.9), (down * 0.94) / (height + 0.25));
  };
  // Turned where the section is narrow.
  const upright = fits(Math.min(inner, room.across), Math.min(inner, room.down));
  const aside = isAskew ? 0 : fits(room.down, room.across);
  const isTurned = upright < 8 * ratio && aside > upright * 1.15;
  const size = isTurned ? aside : upright;
  if (size < 6 * ratio) return;
  context.translate(middle.x, middle.y);
  if (isTurned) context.rotate(-Math.PI / 2);
  const alpha = Math.min(1, (TITLES_UPTO - css) / 2);
  const isGone = scene.tally.of(index, 0) === 0;
  const signColor = mode.heat ? heatOf(soldShare(scene, index), look) : isGone ? look.held : look.categories[section.category]!;
  if (!mode.heat) {
    const [w, h] = [(width + 0.9) * size, (height + 0.25) * size];
    context.beginPath();
    context.roundRect(-w / 2, -h / 2, w, h, h * 0.32);
    context.fillStyle = signColor;
    context.globalAlpha = alpha * 0.95;
    context.fill();
  }
  context.globalAlpha = alpha;
  context.fillStyle = inkOn(signColor);
  lines.forEach((line, at) => {
    context.font = `${at === 0 ? 650 : 500} ${size}px ${look.font}`;
    context.fillText(line, 0, (at - (lines.length - 1) / 2) * size * 1.2 + size * 0.06);
  });
  context.globalAlpha = 1;
}

/** How much of a section is sold, of what was ever for sale. */
function soldShare({ tally, plan }: Scene, index: number): number {
  const all = plan.sections[index]!.count - tally.of(index, 3);
  return all > 0 ? (tally.of(index, 2) + tally.of(index, 1)) / all : 1;
}

function percent(scene: Scene, index: number): string {
  return numbers(scene.words.locale, { style: "percent" }).format(soldShare(scene, index));
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
