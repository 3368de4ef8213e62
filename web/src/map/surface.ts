// Where the map is painted: a worker if that is possible, else this thread. Both take the same messages.
import { workerOf } from "../live/workers";
import type { Painter } from "./painter";
import type { ToPainter, ToWorker } from "./protocol";

export interface PaintSurface {
  tell(message: ToPainter, transfer?: Transferable[]): void;
  close(): void;
}

/**
 * `canvas` is the surface's from now on. `isHere`: no worker. `onfailed`: the worker could not be loaded, which shows late; the
 * canvas is lost with it.
 */
export function surfaceOn(canvas: HTMLCanvasElement, isHere: boolean, onfailed: () => void): PaintSurface {
  const isNowhere = isHere || canvas.transferControlToOffscreen === undefined;
  const worker = isNowhere ? undefined : workerOf(() => new Worker(new URL("./worker.ts", import.meta.url), { type: "module", name: "seat map" }));
  worker?.addEventListener("error", onfailed, { once: true });
  return worker ? apart(canvas, worker) : here(canvas);
}

function apart(canvas: HTMLCanvasElement, worker: Worker): PaintSurface {
  const tell = (message: ToWorker, transfer: Transferable[] = []) => worker.postMessage(message, transfer);
  const offscreen = canvas.transferControlToOffscreen();
  tell({ kind: "canvas", canvas: offscreen }, [offscreen]);
  return { tell, close: () => worker.terminate() };
}

/** The painter is loaded for those who need it here; until it is there, what it is told waits. */
function here(canvas: HTMLCanvasElement): PaintSurface {
  const waiting: ToPainter[] = [];
  let painter: Painter | undefined;
  void import("./painter").then(({ Painter }) => {
    painter = new Painter(canvas);
    for (const message of waiting.splice(0)) painter.take(message);
  });
  return { tell: (message) => (painter ? painter.take(message) : void waiting.push(message)), close: () => {} };
}
