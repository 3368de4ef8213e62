// Where the map is painted: a worker if that is possible, else this thread. Both take the same messages.
import type { Painter } from "./painter";
import type { Timings, ToPainter, ToWorker } from "./protocol";

export interface PaintSurface {
  /** Whether a worker paints. */
  readonly isApart: boolean;
  tell(message: ToPainter, transfer?: Transferable[]): void;
  /** Milliseconds of the paints since this was asked last. */
  timings(): Promise<number[]>;
  close(): void;
}

/**
 * `canvas` is the surface's from now on. `isHere`: no worker. `onfailed`: the worker could not be loaded, which shows late; the
 * canvas is lost with it.
 */
export function surfaceOn(canvas: HTMLCanvasElement, isHere: boolean, onfailed: () => void): PaintSurface {
  const worker = isHere || canvas.transferControlToOffscreen === undefined ? undefined : newWorker();
  worker?.addEventListener("error", onfailed, { once: true });
  return worker ? apart(canvas, worker) : here(canvas);
}

/** None where the script is of another origin than the page (an embedded map), or where workers are forbidden. */
function newWorker(): Worker | undefined {
  if (typeof Worker === "undefined" || new URL(import.meta.url).origin !== location.origin) return undefined;
  try {
    return new Worker(new URL("./worker.ts", import.meta.url), { type: "module", name: "seat map" });
  } catch {
    return undefined;
  }
}

function apart(canvas: HTMLCanvasElement, worker: Worker): PaintSurface {
  const answers: ((paints: number[]) => void)[] = [];
  worker.addEventListener("message", ({ data }: MessageEvent<Timings>) => answers.shift()?.(data.paints));
  const tell = (message: ToWorker, transfer: Transferable[] = []) => worker.postMessage(message, transfer);
  const offscreen = canvas.transferControlToOffscreen();
  tell({ kind: "canvas", canvas: offscreen }, [offscreen]);
  return {
    isApart: true,
    tell,
    timings: () => {
      return new Promise((resolve) => {
        answers.push(resolve);
        tell({ kind: "timings" });
      });
    },
    close: () => worker.terminate(),
  };
}

/** The painter is loaded for those who need it here; until it is there, what it is told waits. */
function here(canvas: HTMLCanvasElement): PaintSurface {
  const answers: ((paints: number[]) => void)[] = [];
  const waiting: ToPainter[] = [];
  let painter: Painter | undefined;
  void import("./painter").then(({ Painter }) => {
    painter = new Painter(canvas, (paints) => answers.shift()?.(paints));
    for (const message of waiting.splice(0)) painter.take(message);
  });
  const tell = (message: ToPainter) => (painter ? painter.take(message) : void waiting.push(message));
  return {
    isApart: false,
    tell,
    timings: () => {
      return new Promise((resolve) => {
        answers.push(resolve);
        tell({ kind: "timings" });
      });
    },
    close: () => {},
  };
}
