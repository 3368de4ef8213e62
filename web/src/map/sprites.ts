// Seats as small pictures, one for each price category and status, at the size that is needed.
import type { Status } from "../live/packed";
import { inkOn, mix, type Look } from "./look";
import { canvasOf, contextOf, type Context, type Surface } from "./protocol";
import { CROSS, shapeOf, TICK } from "./shapes";

/** Besides the four statuses: what one chose, what one holds, what one lost. */
export const SELECTED = 4;
export const MINE = 5;
export const LOST = 6;
export type Kind = Status | typeof SELECTED | typeof MINE | typeof LOST;
const KINDS = 7;

/** Paints a seat into a box of 1 by 1 at the origin. */
export function paintSeat(context: Context, nth: number, color: string, kind: Kind, look: Look): void {
  const shape = new Path2D(shapeOf(nth));
  context.save();
  context.scale(0.01, 0.01);
  context.lineCap = "round";
  context.lineJoin = "round";
  switch (kind) {
    case 0:
      fill(context, shape, color);
      break;
    case 1:
      // Hollow with a dot: somebody is at it, it may come back.
      fill(context, shape, mix(look.ground, look.held, 0.35));
      inner(context, shape, look.held, 9);
      dot(context, mix(look.held, look.muted, 0.25), 12);
      break;
    case 2:
      fill(context, shape, look.reserved);
      line(context, CROSS, mix(look.reserved, look.muted, 0.45), 8);
      break;
    case 3:
      inner(context, shape, mix(look.ground, look.muted, 0.32), 6);
      line(context, "M34 66L66 34", mix(look.ground, look.muted, 0.32), 7);
      break;
    case SELECTED:
      fill(context, shape, look.mine);
      line(context, TICK, look.ground, 11);
      break;
    case MINE:
      fill(context, shape, look.mine);
      inner(context, shape, look.accent, 16);
      line(context, TICK, look.ground, 11);
      break;
    case LOST:
      fill(context, shape, mix(look.ground, look.bad, 0.15));
      inner(context, shape, look.bad, 9);
      line(context, CROSS, look.bad, 11);
  }
  context.restore();
}

function fill(context: Context, shape: Path2D, color: string): void {
  context.fillStyle = color;
  context.fill(shape);
}

/** A line along the inside of a shape. */
function inner(context: Context, shape: Path2D, color: string, width: number): void {
  context.save();
  context.clip(shape);
  context.strokeStyle = color;
  context.lineWidth = width * 2;
  context.stroke(shape);
  context.restore();
}

function dot(context: Context, color: string, radius: number): void {
  context.fillStyle = color;
  context.beginPath();
  context.arc(50, 50, radius, 0, 2 * Math.PI);
  context.fill();
}

function line(context: Context, path: string, color: string, width: number): void {
  context.strokeStyle = color;
  context.lineWidth = width;
  context.stroke(new Path2D(path));
}

/** All seats at one size, beside each other: a column a kind, a row a category. */
export class Sprites {
  readonly canvas: Surface;
  readonly #context: Context;
  readonly #pixels = new Map<number, ImageData>();

  constructor(
    readonly size: number,
    readonly look: Look,
    readonly categories: number[],
  ) {
    this.canvas = canvasOf(size * KINDS, size * Math.max(1, categories.length));
    this.#context = contextOf(this.canvas, { willReadFrequently: size <= 16 });
    categories.forEach((nth, category) => {
      for (let kind = 0; kind < KINDS; kind++) {
        this.#context.setTransform(size, 0, 0, size, kind * size, category * size);
        if (size <= 4) this.#flat(look.categories[category]!, kind as Kind);
        else paintSeat(this.#context, nth, look.categories[category]!, kind as Kind, look);
      }
    });
  }

  /** Too small for a shape: a tile, with a thin joint where there is a pixel for one. */
  #flat(color: string, kind: Kind): void {
    const look = this.look;
    const fills = [color, look.held, look.reserved, look.blocked, look.mine, look.mine, look.bad];
    this.#context.fillStyle = fills[kind]!;
    if (this.size < 4) return this.#context.fillRect(0, 0, 1, 1);
    this.#context.globalAlpha = look.dark ? 0.82 : 0.74;
    this.#context.fillRect(0, 0, 1, 1);
    this.#context.globalAlpha = 1;
    this.#context.fillRect(0, 0, 0.75, 0.75);
  }

  /** Pixels of one seat. */
  pixels(category: number, kind: Kind): ImageData {
    const key = category * KINDS + kind;
    let pixels = this.#pixels.get(key);
    if (!pixels) {
      pixels = this.#context.getImageData(kind * this.size, category * this.size, this.size, this.size);
      this.#pixels.set(key, pixels);
    }
    return pixels;
  }

  /** Its memory goes now, not when somebody collects it. */
  close(): void {
    this.canvas.width = 0;
  }
}

/** Short texts as pictures: seat numbers and names of rows, painted once each. */
export class Glyphs {
  #canvas: Surface;
  #context: Context;
  readonly #slots = new Map<string, number>();
  readonly width: number;
  readonly height: number;
  static readonly COLUMNS = 16;
  static readonly ROWS = 24;

  constructor(
    /** Height of the letters in device pixels. */
    readonly size: number,
    readonly font: string,
  ) {
    this.width = Math.ceil(size * 2.6);
    this.height = Math.ceil(size * 1.3);
    this.#canvas = canvasOf(this.width * Glyphs.COLUMNS, this.height * Glyphs.ROWS);
    this.#context = contextOf(this.#canvas);
    this.#context.textAlign = "center";
    this.#context.textBaseline = "middle";
  }

  /** Paints a text around a point, in device pixels. */
  paint(target: Context, text: string, color: string, x: number, y: number, scale: number): void {
    const key = `${color}${text}`;
    let slot = this.#slots.get(key);
    if (slot === undefined) {
      if (this.#slots.size === Glyphs.COLUMNS * Glyphs.ROWS) {
        this.#slots.clear();
        this.#context.clearRect(0, 0, this.#canvas.width, this.#canvas.height);
      }
      slot = this.#slots.size;
      this.#slots.set(key, slot);
      const [left, top] = this.#corner(slot);
      this.#context.fillStyle = color;
      this.#context.font = `600 ${text.length > 3 ? (this.size * 3) / text.length : this.size}px ${this.font}`;
      this.#context.fillText(text, left + this.width / 2, top + this.height / 2, this.width);
    }
    const [left, top] = this.#corner(slot);
    const [width, height] = [this.width * scale, this.height * scale];
    target.drawImage(this.#canvas, left, top, this.width, this.height, x - width / 2, y - height / 2, width, height);
  }

  /** As that of sprites. */
  close(): void {
    this.#canvas.width = 0;
  }

  #corner(slot: number): [number, number] {
    return [(slot % Glyphs.COLUMNS) * this.width, Math.floor(slot / Glyphs.COLUMNS) * this.height];
  }
}

/** Colours of the numbers on seats of each category. */
export function inks(look: Look): string[] {
  return look.categories.map(inkOn);
}

