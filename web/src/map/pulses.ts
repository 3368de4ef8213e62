// Seats that change while one looks: a ring that grows and goes, so that the map is seen to be live.
import { lastUpto } from "../live/chart";
import type { Status } from "../live/packed";
import { middleOf } from "./plan";
import type { Scene } from "./painter";
import type { Context } from "./protocol";

const LASTS = 900;
/** More at once are no news but noise. */
const MOST = 40;

interface Pulse {
  place: number;
  status: Status;
  born: number;
}

export class Pulses {
  #all: Pulse[] = [];

  add(place: number, status: Status): void {
    if (this.#all.length < MOST) this.#all.push({ place, status, born: performance.now() });
  }

  /** Whether some are left to be painted again. */
  paint(context: Context, scene: Scene): boolean {
    const { plan, view, look, ratio, window } = scene;
    const now = performance.now();
    this.#all = this.#all.filter(({ born }) => now - born < LASTS);
    context.setTransform(1, 0, 0, 1, 0, 0);
    let isSeen = false;
    for (const { place, status, born } of this.#all) {
      const section = plan.sections[lastUpto(plan.sections, place)]!;
      if (section.isArea) continue;
      const { x, y } = middleOf(section, place);
      if (x < window[0] || x > window[2] || y < window[1] || y > window[3]) continue;
      isSeen = true;
      const time = (now - born) / LASTS;
      const radius = Math.max(view.k * 0.5, 3 * ratio) + (1 - (1 - time) ** 2) * 9 * ratio;
      context.globalAlpha = 0.9 * (1 - time);
      context.lineWidth = 2 * ratio;
      context.strokeStyle = status === 0 ? look.categories[section.category]! : look.text;
      context.beginPath();
      context.arc(x * view.k + view.x, y * view.k + view.y, radius, 0, 2 * Math.PI);
      context.stroke();
    }
    context.globalAlpha = 1;
    return isSeen;
  }
}
