// Sections as pictures: every seat a few pixels, painted once and then only where something changes.
import type { Status } from "../live/packed";
import type { Plan, SectionPlan } from "./plan";
import { rowOrigin, seatAt, slotOf } from "./plan";
import { canvasOf, contextOf, type Context, type Surface } from "./protocol";
import type { Sprites } from "./sprites";

interface Cached {
  canvas: Surface;
  context: Context;
  /** When it was last needed. */
  used: number;
  pixels: number;
}

/** A picture larger than this is made with fewer pixels a seat. */
const LARGEST = 6_000_000;

/** The pictures of one level: `sprites.size` pixels a seat. */
export class Caches {
  readonly #cached = new Map<number, Cached>();
  #clock = 0;
  /** What the clock said when this was trimmed last. */
  #trimmed = 0;
  #pixels = 0;

  constructor(
    readonly plan: Plan,
    readonly statuses: Uint8Array,
    readonly sprites: Sprites,
  ) {}

  static fits(section: SectionPlan, size: number): boolean {
    return 4 * section.halfWidth * section.halfHeight * size * size <= LARGEST;
  }

  has(index: number): boolean {
    return this.#cached.has(index);
  }

  /** The picture of a section. */
  of(index: number): Surface {
    let cached = this.#cached.get(index);
    if (!cached) {
      cached = this.#build(this.plan.sections[index]!);
      this.#cached.set(index, cached);
      this.#pixels += cached.pixels;
    }
    cached.used = ++this.#clock;
    return cached.canvas;
  }

  /** A seat is another than before. */
  change(index: number, place: number): void {
    const cached = this.#cached.get(index);
    const section = this.plan.sections[index]!;
    const seat = cached && seatAt(section, place);
    if (!cached || !seat) return;
    const { size } = this.sprites;
    const row = section.rows[seat.row]!;
    const x = (slotOf(row, seat.index) + rowOrigin(section, seat.row).x + section.halfWidth) * size;
    const pixels = this.sprites.pixels(section.category, this.statuses[place] as Status);
    cached.context.putImageData(pixels, Math.floor(x), seat.row * size);
  }

  /** Gives pictures back that were not needed for longest, until so many pixels are left or what was needed since the last time. */
  trim(budget: number): void {
    const before = this.#trimmed;
    this.#trimmed = this.#clock;
    if (this.#pixels <= budget) return;
    const oldest = [...this.#cached].sort(([, a], [, b]) => a.used - b.used);
    for (const [index, { pixels, canvas, used }] of oldest) {
      if (this.#pixels <= budget || used > before) return;
      this.#cached.delete(index);
      this.#pixels -= pixels;
      // Its memory goes now, not when somebody collects it.
      canvas.width = 0;
    }
  }

  clear(): void {
    for (const { canvas } of this.#cached.values()) canvas.width = 0;
    this.#cached.clear();
    this.#pixels = 0;
  }

  #build(section: SectionPlan): Cached {
    const { size } = this.sprites;
    const width = Math.max(1, Math.ceil(section.halfWidth * 2 * size));
    const height = Math.max(1, section.rows.length * size);
    const image = new ImageData(width, height);
    const target = new Uint32Array(image.data.buffer);
    const seats = [0, 1, 2, 3].map((status) => {
      return new Uint32Array(this.sprites.pixels(section.category, status as Status).data.buffer);
    });
    section.rows.forEach((row, at) => {
      const left = rowOrigin(section, at).x + section.halfWidth;
      const top = at * size * width;
      let aisles = 0;
      let nextBreak = row.breaks[0];
      for (const { first, from, count } of row.pieces) {
        for (let index = from; index < from + count; index++) {
          if (index === nextBreak) nextBreak = row.breaks[++aisles];
          const source = seats[this.statuses[first + index - from]!]!;
          let to = top + Math.floor((left + index + aisles) * size);
          for (let y = 0, pixel = 0; y < size; y++, to += width) {
            for (let x = 0; x < size; x++) target[to + x] = source[pixel++]!;
          }
        }
      }
    });
    const canvas = canvasOf(width, height);
    const context = contextOf(canvas);
    context.putImageData(image, 0, 0);
    return { canvas, context, used: 0, pixels: width * height };
  }
}
