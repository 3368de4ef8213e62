// Moving about the map: drag, wheel, pinch, double tap by d3-zoom; flights; taps that are no drags.
import { select } from "d3-selection";
import { zoom, zoomIdentity, type D3ZoomEvent, type ZoomBehavior, type ZoomTransform } from "d3-zoom";
import type { Bounds } from "./plan";
import type { View } from "./protocol";

export interface Tap {
  /** In CSS pixels from the pane's corner. */
  x: number;
  y: number;
  /** A finger, which is less exact than a pointer. */
  isTouch: boolean;
}

export interface GestureOptions {
  onview(view: View, moving: boolean): void;
  ontap(tap: Tap): void;
  /** Whether two taps here zoom: on seats they choose. */
  zoomsAt(tap: Tap): boolean;
}

/** Free space around a map that fits, in CSS pixels. */
const MARGIN = 20;
/** A seat is at most so large. */
const LARGEST = 46;
const TAP_MOVES = 8;
const TAP_LASTS = 700;
const FLIGHT = 320;

export class Gestures {
  readonly #behavior: ZoomBehavior<HTMLElement, unknown>;
  #bounds: Bounds = [-1, -1, 1, 1];
  #size = { width: 1, height: 1 };
  #transform: ZoomTransform = zoomIdentity;
  #isFit = true;
  #flight = 0;
  #gone: (() => void)[] = [];

  constructor(
    readonly pane: HTMLElement,
    readonly options: GestureOptions,
  ) {
    this.#behavior = zoom<HTMLElement, unknown>()
      .clickDistance(TAP_MOVES)
      .tapDistance(20)
      .extent(() => [[0, 0], [this.#size.width, this.#size.height]])
      .constrain((transform) => this.#constrained(transform))
      .filter((event: Event) => {
        if (event.type !== "dblclick") return !(event instanceof MouseEvent && (event.button > 0 || (event.ctrlKey && event.type !== "wheel")));
        return options.zoomsAt(this.#tap(event as MouseEvent, false));
      })
      .on("start", ({ sourceEvent }: D3ZoomEvent<HTMLElement, unknown>) => {
        // A hand on the map ends a flight.
        if (sourceEvent) cancelAnimationFrame(this.#flight);
      })
      .on("zoom", ({ transform, sourceEvent }: D3ZoomEvent<HTMLElement, unknown>) => {
        this.#transform = transform;
        if (sourceEvent) this.#isFit = false;
        options.onview(this.view, true);
      })
      .on("end", () => options.onview(this.view, false));
    const selection = select(pane).call(this.#behavior);
    this.#gone.push(() => selection.on(".zoom", null));
    this.#listen();
  }

  get view(): View {
    const { k, x, y } = this.#transform;
    return { k, x, y };
  }

  get fitK(): number {
    const [left, top, right, bottom] = this.#bounds;
    const { width, height } = this.#size;
    const across = Math.max(width - 2 * MARGIN, 40) / Math.max(right - left, 1);
    const down = Math.max(height - 2 * MARGIN, 40) / Math.max(bottom - top, 1);
    return Math.min(across, down, 30);
  }

  /** What there is to see. */
  setBounds(bounds: Bounds): void {
    this.#bounds = bounds;
    this.#isFit = true;
    this.#limit();
    this.fit(false);
  }

  setSize(width: number, height: number): void {
    const middle = this.#middle();
    this.#size = { width, height };
    this.#limit();
    if (this.#isFit) this.fit(false);
    else this.#go(this.#around(middle, this.#transform.k));
  }

  fit(animated = true): void {
    const [left, top, right, bottom] = this.#bounds;
    this.flyTo({ x: (left + right) / 2, y: (top + bottom) / 2 }, this.fitK, animated);
    this.#isFit = true;
  }

  /** Puts a point of the map into the middle, with so many CSS pixels a seat. */
  flyTo(point: { x: number; y: number }, k: number, animated = true): void {
    cancelAnimationFrame(this.#flight);
    this.#isFit = false;
    const [from, to] = [this.#transform, this.#around(point, k)];
    const isStill = matchMedia("(prefers-reduced-motion: reduce)").matches;
    if (!animated || isStill || (from.k === to.k && from.x === to.x && from.y === to.y)) {
      this.#go(to);
      return this.options.onview(this.view, false);
    }
    const start = this.#middle();
    const begin = performance.now();
    const step = (now: number) => {
      const time = Math.min(1, (now - begin) / FLIGHT);
      const eased = 1 - (1 - time) ** 3;
      const between = from.k * (to.k / from.k) ** eased;
      // A point stays where it is while the map grows around it.
      const way = Math.abs(to.k / from.k - 1) < 0.01 ? eased : (1 / from.k - 1 / between) / (1 / from.k - 1 / to.k);
      this.#go(this.#around({ x: start.x + (point.x - start.x) * way, y: start.y + (point.y - start.y) * way }, between));
      if (time < 1) this.#flight = requestAnimationFrame(step);
      else this.options.onview(this.view, false);
    };
    this.#flight = requestAnimationFrame(step);
  }

  zoomBy(factor: number): void {
    this.flyTo(this.#middle(), this.#transform.k * factor);
  }

  /** By CSS pixels. */
  panBy(x: number, y: number): void {
    const { k } = this.#transform;
    const middle = this.#middle();
    this.flyTo({ x: middle.x + x / k, y: middle.y + y / k }, k);
  }

  close(): void {
    cancelAnimationFrame(this.#flight);
    for (const go of this.#gone) go();
  }

  #middle(): { x: number; y: number } {
    const [x, y] = this.#transform.invert([this.#size.width / 2, this.#size.height / 2]);
    return { x, y };
  }

  #around({ x, y }: { x: number; y: number }, k: number): ZoomTransform {
    const [least, most] = this.#behavior.scaleExtent();
    const scale = Math.min(most, Math.max(least, k));
    const { width, height } = this.#size;
    return zoomIdentity.translate(width / 2 - x * scale, height / 2 - y * scale).scale(scale);
  }

  #go(transform: ZoomTransform): void {
    this.#behavior.transform(select(this.pane), this.#constrained(transform));
  }

  #limit(): void {
    this.#behavior.scaleExtent([this.fitK * 0.85, Math.max(LARGEST, this.fitK * 1.5)]);
  }

  /** The middle of the screen stays over the map. */
  #constrained(transform: ZoomTransform): ZoomTransform {
    const [left, top, right, bottom] = this.#bounds;
    const [x, y] = transform.invert([this.#size.width / 2, this.#size.height / 2]);
    const [kept, keptY] = [Math.min(right, Math.max(left, x)), Math.min(bottom, Math.max(top, y))];
    return kept === x && keptY === y ? transform : transform.translate(x - kept, y - keptY);
  }

  #tap(event: MouseEvent, isTouch: boolean): Tap {
    const { left, top } = this.pane.getBoundingClientRect();
    return { x: event.clientX - left, y: event.clientY - top, isTouch };
  }

  /** Taps: one finger or the first button, hardly moved. */
  #listen(): void {
    let down: { id: number; x: number; y: number; at: number } | undefined;
    let fingers = 0;
    const on = <K extends keyof HTMLElementEventMap>(name: K, listener: (event: HTMLElementEventMap[K]) => void) => {
      this.pane.addEventListener(name, listener);
      this.#gone.push(() => this.pane.removeEventListener(name, listener));
    };
    on("pointerdown", (event) => {
      fingers++;
      const { pointerId: id, clientX: x, clientY: y } = event;
      down = fingers === 1 && event.button === 0 ? { id, x, y, at: event.timeStamp } : undefined;
    });
    on("pointercancel", () => {
      fingers = Math.max(0, fingers - 1);
      down = undefined;
    });
    on("pointerup", (event) => {
      fingers = Math.max(0, fingers - 1);
      if (!down || down.id !== event.pointerId) return;
      const moved = Math.hypot(event.clientX - down.x, event.clientY - down.y);
      const isTap = moved <= TAP_MOVES && event.timeStamp - down.at <= TAP_LASTS;
      down = undefined;
      if (isTap) this.options.ontap(this.#tap(event, event.pointerType !== "mouse"));
    });
    on("pointerleave", (event) => {
      if (event.pointerType === "mouse") fingers = 0;
    });
  }
}
