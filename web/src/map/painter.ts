// Paints the map: sections as pictures from afar, seats one by one close up. Runs in a worker, or where there is none in the page.
import { Chart, lastUpto } from "../live/chart";
import { Tally } from "../live/counts";
import type { Status } from "../live/packed";
import { Caches } from "./caches";
import { CloseUp } from "./closeup";
import type { Look } from "./look";
import { paintMarks } from "./marks";
import { boundsOf, planOf, type Bounds, type Plan, type SectionPlan } from "./plan";
import { Pulses } from "./pulses";
import { contextOf, type Context, type Marks, type Mode, type Surface, type ToPainter, type View, type Words } from "./protocol";
import { paintArea, paintPlate, paintStage, paintTitle, TITLES_UPTO } from "./scenery";
import { Sprites } from "./sprites";

/** Pixels a seat of the pictures; what is larger is painted seat by seat. */
const LEVELS = [1, 2, 4, 8, 16];
/** Milliseconds that one paint may make new pictures for. */
const BUILDING = 6;
/** Pictures that are kept, in screens: of the level that is painted, and of each other one. */
const OF_THIS = 4;
const OF_OTHERS = 1;
/** So many changes at once are worth to be pointed at. */
const CALM = 12;

/** All that one paint needs to know. */
export interface Scene {
  plan: Plan;
  statuses: Uint8Array;
  tally: Tally;
  look: Look;
  words: Words;
  mode: Mode;
  marks: Marks;
  /** In device pixels. */
  view: View;
  width: number;
  height: number;
  ratio: number;
  /** Sections on the screen. */
  visible: number[];
  /** What of the plane is on the screen. */
  window: Bounds;
}

export class Painter {
  readonly #context: Context;
  #plan: Plan | undefined;
  #extents: Bounds[] = [];
  #statuses = new Uint8Array(0);
  #tally = new Tally([]);
  #look: Look | undefined;
  #words: Words | undefined;
  #mode: Mode = { heat: false, still: true, only: undefined };
  #marks: Marks = { selected: [], mine: [], lost: [], focus: undefined, hover: undefined };
  #view: View = { k: 1, x: 0, y: 0 };
  #moving = false;
  #ratio = 1;
  #caches = new Map<number, Caches>();
  #closeUp: CloseUp | undefined;
  #requested = false;
  readonly #pulses = new Pulses();

  constructor(readonly canvas: Surface) {
    // Nothing shines through it: that is cheaper.
    this.#context = contextOf(canvas, { alpha: false });
  }

  take(message: ToPainter): void {
    switch (message.kind) {
      case "size":
        this.canvas.width = Math.max(1, Math.round(message.width * message.ratio));
        this.canvas.height = Math.max(1, Math.round(message.height * message.ratio));
        this.#ratio = message.ratio;
        // A resized canvas is black until it is painted.
        return this.#paint();
      case "chart":
        this.#plan = planOf(new Chart("", message.text));
        this.#extents = this.#plan.sections.map((section) => boundsOf([section]));
        this.#statuses = message.statuses;
        this.#tally = new Tally(this.#plan.sections, message.statuses);
        this.#forget();
        break;
      case "changes":
        this.#change(message.changes);
        break;
      case "view":
        this.#view = message.view;
        this.#moving = message.moving;
        break;
      case "marks":
        this.#marks = message.marks;
        break;
      case "look":
        this.#look = message.look;
        this.#words = message.words;
        this.#forget();
        break;
      case "mode":
        this.#mode = message.mode;
        break;
    }
    this.#request();
  }

  #forget(): void {
    for (const caches of this.#caches.values()) caches.clear();
    this.#caches.clear();
    this.#closeUp = undefined;
  }

  #change(changes: Uint32Array): void {
    const { sections } = this.#plan ?? { sections: [] };
    for (const change of changes) {
      const [place, status] = [change >>> 2, (change & 3) as Status];
      const before = this.#statuses[place] as Status | undefined;
      if (before === undefined || before === status) continue;
      const section = lastUpto(sections, place);
      this.#statuses[place] = status;
      this.#tally.change(section, before, status);
      for (const caches of this.#caches.values()) caches.change(section, place);
      if (!this.#mode.still && changes.length <= CALM) this.#pulses.add(place, status);
    }
  }

  #request(): void {
    if (this.#requested) return;
    this.#requested = true;
    const paint = () => {
      this.#requested = false;
      this.#paint();
    };
    if (typeof requestAnimationFrame === "function") requestAnimationFrame(paint);
    else setTimeout(paint, 16);
  }

  #paint(): void {
    const scene = this.#scene();
    if (!scene) return this.#paintGround();
    this.#paintScene(scene);
  }

  #scene(): Scene | undefined {
    if (!this.#plan || !this.#look || !this.#words) return undefined;
    // The chart is told before the colours of its prices.
    if (this.#look.categories.length < this.#plan.categories.length) return undefined;
    const { width, height } = this.canvas;
    const ratio = this.#ratio;
    const view = { k: this.#view.k * ratio, x: this.#view.x * ratio, y: this.#view.y * ratio };
    const window: Bounds = [-view.x / view.k, -view.y / view.k, (width - view.x) / view.k, (height - view.y) / view.k];
    const visible: number[] = [];
    this.#extents.forEach(([left, top, right, bottom], index) => {
      if (left < window[2] && right > window[0] && top < window[3] && bottom > window[1]) visible.push(index);
    });
    return {
      plan: this.#plan,
      statuses: this.#statuses,
      tally: this.#tally,
      look: this.#look,
      words: this.#words,
      mode: this.#mode,
      marks: this.#marks,
      view,
      width,
      height,
      ratio,
      visible,
      window,
    };
  }

  #paintGround(): void {
    if (!this.#look) return;
    this.#context.setTransform(1, 0, 0, 1, 0, 0);
    this.#context.fillStyle = this.#look.ground;
    this.#context.fillRect(0, 0, this.canvas.width, this.canvas.height);
  }

  #paintScene(scene: Scene): void {
    const { plan, view, visible } = scene;
    const context = this.#context;
    this.#paintGround();
    if (plan.stage) paintStage(context, scene, plan.stage);
    for (const index of visible) {
      const section = plan.sections[index]!;
      context.globalAlpha = strengthOf(scene, section);
      if (section.isArea) paintArea(context, scene, index);
      else paintPlate(context, scene, index);
    }
    context.globalAlpha = 1;
    const level = LEVELS.find((size) => size >= view.k);
    const seated = visible.filter((index) => !plan.sections[index]!.isArea);
    if (level === undefined) {
      this.#closeUpOf(scene).paint(context, scene, seated);
      this.#trim(scene, Infinity);
    }
    // From afar, heat is all that a section shows.
    else if (!scene.mode.heat || view.k / scene.ratio > TITLES_UPTO) this.#pictures(scene, seated, level);
    paintMarks(context, scene);
    for (const index of seated) paintTitle(context, scene, index);
    // Not with every frame of the screen: it is only an ornament.
    if (!this.#mode.still && this.#pulses.paint(context, scene)) setTimeout(() => this.#request(), 45);
  }

  /** New pictures are made as long as a frame has time for them, less while a gesture lasts; until then those that there are do. */
  #pictures(scene: Scene, seated: number[], level: number): void {
    const context = this.#context;
    context.imageSmoothingEnabled = true;
    context.imageSmoothingQuality = scene.view.k < 0.6 ? "medium" : "low";
    const begin = performance.now();
    let isAllThere = true;
    for (const index of seated) {
      const section = scene.plan.sections[index]!;
      let size = level;
      while (size > 1 && !Caches.fits(section, size)) size /= 2;
      let caches = this.#cachesOf(scene, size);
      if (!caches.has(index) && performance.now() - begin > (this.#moving ? BUILDING / 3 : BUILDING)) {
        isAllThere = false;
        const other = LEVELS.findLast((other) => this.#caches.get(other)?.has(index));
        // The ground alone, for a moment.
        if (other === undefined) continue;
        caches = this.#caches.get(other)!;
      }
      turn(context, scene.view, section);
      context.globalAlpha = strengthOf(scene, section);
      context.drawImage(caches.of(index), -section.halfWidth, -section.halfHeight, 2 * section.halfWidth, 2 * section.halfHeight);
    }
    context.globalAlpha = 1;
    if (isAllThere) this.#trim(scene, level);
    else this.#request();
  }

  /** Gives back pictures that are larger than what is on the screen, and what is over the limit. */
  #trim(scene: Scene, level: number): void {
    for (const [size, caches] of this.#caches) {
      if (size <= level * 2) {
        caches.trim(scene.width * scene.height * (size === level ? OF_THIS : OF_OTHERS));
        continue;
      }
      caches.clear();
      this.#caches.delete(size);
    }
  }

  #cachesOf({ plan, statuses, look }: Scene, size: number): Caches {
    let caches = this.#caches.get(size);
    if (!caches) {
      caches = new Caches(plan, statuses, new Sprites(size, look, plan.categories));
      this.#caches.set(size, caches);
    }
    return caches;
  }

  #closeUpOf(scene: Scene): CloseUp {
    // Sizes in steps, so that a zoom does not make new sprites with each paint.
    const { k } = scene.view;
    const size = CloseUp.sizeFor(k);
    const does = this.#moving && this.#closeUp && this.#closeUp.size > k / 2 && this.#closeUp.size < k * 3;
    if (!this.#closeUp || (!does && this.#closeUp.size !== size)) this.#closeUp = new CloseUp(size, scene);
    return this.#closeUp;
  }
}

/** How strongly a section is painted: what one does not look for steps back. */
export function strengthOf({ mode }: Scene, { category }: SectionPlan): number {
  return mode.only === undefined || mode.only === category ? 1 : 0.16;
}

/** From here on, coordinates are a section's own. */
export function turn(context: Context, { k, x, y }: View, { x: cx, y: cy, cos, sin }: Pick<SectionPlan, "x" | "y" | "cos" | "sin">): void {
  context.setTransform(cos * k, sin * k, -sin * k, cos * k, cx * k + x, cy * k + y);
}
