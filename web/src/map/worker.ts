// The painter in a worker, on a canvas that the page gave away.
import { Painter } from "./painter";
import type { ToWorker } from "./protocol";

let painter: Painter | undefined;

self.addEventListener("message", ({ data }: MessageEvent<ToWorker>) => {
  if (data.kind !== "canvas") return painter?.take(data);
  painter = new Painter(data.canvas);
});
