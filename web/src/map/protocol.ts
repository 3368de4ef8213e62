// What the page tells the painter, wherever that runs.
import type { Look } from "./look";

/** From the map to the canvas, in CSS pixels: `k * x + this.x`. */
export interface View {
  k: number;
  x: number;
  y: number;
}

/** Places that look different from what the show says. */
export interface Marks {
  selected: number[];
  mine: number[];
  lost: number[];
  /** Where the keyboard is. */
  focus: number | undefined;
  /** Under the pointer: a seat, or an area by the index of its section. */
  hover: { section: number; place: number | undefined } | undefined;
}

export interface Words {
  stage: string;
  /** With {count} in it. */
  left: string;
  soldOut: string;
  locale: string;
}

export interface Mode {
  /** Sections say how much of them is sold. */
  heat: boolean;
  /** The reader wants nothing to move by itself. */
  still: boolean;
  /** The price category that one looks for: others step back. */
  only: number | undefined;
}

export type ToPainter =
  | { kind: "size"; width: number; height: number; ratio: number }
  /** The chart's own text: to lay it out again costs a worker less than to hand a plan over costs the page. */
  | { kind: "chart"; text: string; statuses: Uint8Array<ArrayBuffer> }
  /** Each a place times four, plus its status. */
  | { kind: "changes"; changes: Uint32Array<ArrayBuffer> }
  | { kind: "view"; view: View; moving: boolean }
  | { kind: "marks"; marks: Marks }
  | { kind: "look"; look: Look; words: Words }
  | { kind: "mode"; mode: Mode };

export type ToWorker = ToPainter | { kind: "canvas"; canvas: OffscreenCanvas };

export type Surface = OffscreenCanvas | HTMLCanvasElement;
export type Context = OffscreenCanvasRenderingContext2D | CanvasRenderingContext2D;

/** A canvas that nobody sees. */
export function canvasOf(width: number, height: number): Surface {
  if (typeof OffscreenCanvas !== "undefined") return new OffscreenCanvas(width, height);
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  return canvas;
}

export function contextOf(canvas: Surface, options?: CanvasRenderingContext2DSettings): Context {
  const context = canvas.getContext("2d", options) as Context | null;
  if (!context) throw new Error("this browser gives no 2D canvas");
  return context;
}
