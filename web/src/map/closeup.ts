// Close up: only the seats on the screen, with numbers, and names of rows at both ends.
import type { Bounds, SectionPlan } from "./plan";
import { into, outOf, placeAt, rowOrigin } from "./plan";
import type { Context } from "./protocol";
import type { Scene } from "./painter";
import { strengthOf, turn } from "./painter";
import { Glyphs, inks, Sprites } from "./sprites";

/** From so many CSS pixels a seat on, seats have numbers, and rows names. */
const NUMBERS_FROM = 15;
const NAMES_FROM = 10;

export class CloseUp {
  readonly #sprites: Sprites;
  readonly #glyphs: Glyphs;
  readonly #inks: string[];

  constructor(
    readonly size: number,
    { look, plan }: Scene,
  ) {
    this.#sprites = new Sprites(size, look, plan.categories);
    this.#glyphs = new Glyphs(Math.max(7, Math.round(size * 0.4)), look.font);
    this.#inks = inks(look);
  }

  /** Size of sprites for so many device pixels a seat: never smaller, in steps of a fifth. */
  static sizeFor(k: number): number {
    let size = 16;
    while (size < k && size < 128) size = Math.ceil(size * 1.2);
    return size;
  }

  close(): void {
    this.#sprites.close();
    this.#glyphs.close();
  }

  paint(context: Context, scene: Scene, seated: number[]): void {
    context.imageSmoothingEnabled = true;
    context.imageSmoothingQuality = "low";
    const css = scene.view.k / scene.ratio;
    for (const index of seated) {
      const section = scene.plan.sections[index]!;
      const part = inSection(section, scene.window);
      context.globalAlpha = strengthOf(scene, section);
      this.#seats(context, scene, section, part);
      if (css >= NAMES_FROM) this.#texts(context, scene, section, part, css >= NUMBERS_FROM);
    }
    context.globalAlpha = 1;
  }

  #seats(context: Context, scene: Scene, section: SectionPlan, part: Bounds): void {
    turn(context, scene.view, section);
    const { canvas, size } = this.#sprites;
    const top = section.category * size;
    visit(section, part, (place, x, y) => {
      context.drawImage(canvas, scene.statuses[place]! * size, top, size, size, x, y - 0.5, 1, 1);
    });
  }

  #texts(context: Context, scene: Scene, section: SectionPlan, part: Bounds, numbers: boolean): void {
    const { view, look, plan } = scene;
    const ink = this.#inks[section.category]!;
    const scale = view.k / this.size;
    context.setTransform(1, 0, 0, 1, 0, 0);
    const paint = (text: string, color: string, across: number, down: number, size: number) => {
      const { x, y } = outOf(section, across, down);
      this.#glyphs.paint(context, text, color, Math.round(x * view.k + view.x), Math.round(y * view.k + view.y), scale * size);
    };
    if (numbers) {
      visit(section, part, (place, x, y, row, index) => {
        // What cannot be had has no number: it says enough that it is taken.
        if (scene.statuses[place] !== 0) return;
        paint(plan.lists[section.rows[row]!.list]![index]!, ink, x + 0.5, y, 1);
      });
    }
    for (const row of rowsIn(section, part)) {
      const { name, width } = section.rows[row]!;
      const origin = rowOrigin(section, row);
      for (const across of [origin.x - 0.48, origin.x + width + 0.48]) paint(name, look.muted, across, origin.y, 0.85);
    }
  }
}

/** What of the screen is over a section, in its own coordinates. */
function inSection(section: SectionPlan, [left, top, right, bottom]: Bounds): Bounds {
  const corners = [into(section, left, top), into(section, right, top), into(section, right, bottom), into(section, left, bottom)];
  const [xs, ys] = [corners.map(({ x }) => x), corners.map(({ y }) => y)];
  return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
}

function* rowsIn({ rows }: SectionPlan, part: Bounds): Generator<number> {
  const from = Math.max(0, Math.floor(part[1] + rows.length / 2));
  const to = Math.min(rows.length - 1, Math.floor(part[3] + rows.length / 2));
  for (let row = from; row <= to; row++) yield row;
}

/** Every seat of a part of a section: its place, its left edge and its middle line. */
function visit(
  section: SectionPlan,
  part: Bounds,
  each: (place: number, x: number, y: number, row: number, index: number) => void,
): void {
  for (const row of rowsIn(section, part)) {
    const { breaks, pieces, width } = section.rows[row]!;
    const origin = rowOrigin(section, row);
    if (origin.x > part[2] || origin.x + width < part[0]) continue;
    const simple = pieces.length === 1;
    let aisles = 0;
    const last = pieces.at(-1)!;
    for (let index = 0; index < last.from + last.count; index++) {
      if (index === breaks[aisles]) aisles++;
      const x = origin.x + index + aisles;
      if (x > part[2]) break;
      if (x + 1 < part[0]) continue;
      each(simple ? pieces[0]!.first + index : placeAt(section.rows[row]!, index), x, origin.y, row, index);
    }
  }
}
