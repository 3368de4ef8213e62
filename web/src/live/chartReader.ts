// Reads a chart's bytes: in a worker if that is possible, else here.
import { breath } from "./breath";
import { compacted, type ChartBody } from "./compact";
import { workerOf } from "./workers";

/** A worker that says nothing for so long is not waited for. */
const PATIENCE = 5_000;

export class ChartReader {
  readonly #worker = workerOf(() => new Worker(new URL("./chart.worker.ts", import.meta.url), { type: "module", name: "chart" }));
  #failed = false;

  constructor() {
    // It may fail before it is asked: while workers are exchanged its script may be missing.
    this.#worker?.addEventListener("error", () => (this.#failed = true));
  }

  /** The chart as `compacted` has it. Throws what is wrong with it. */
  read(bytes: ArrayBuffer, signal: AbortSignal): Promise<string> {
    const worker = this.#worker;
    if (!worker || this.#failed) return readHere(bytes);
    return new Promise((resolve, reject) => {
      const settled = new AbortController();
      const once = { once: true, signal: settled.signal };
      const here = () => {
        settled.abort();
        readHere(bytes).then(resolve, reject);
      };
      const told = ({ data }: MessageEvent<string>) => {
        settled.abort();
        resolve(data);
      };
      const stopped = () => {
        settled.abort();
        reject(signal.reason as Error);
      };
      worker.addEventListener("message", told, once);
      worker.addEventListener("error", here, once);
      AbortSignal.timeout(PATIENCE).addEventListener("abort", here, once);
      signal.addEventListener("abort", stopped, once);
      worker.postMessage(bytes);
    });
  }

  close(): void {
    this.#worker?.terminate();
  }
}

async function readHere(bytes: ArrayBuffer): Promise<string> {
  await breath();
  return compacted(JSON.parse(new TextDecoder().decode(bytes)) as ChartBody);
}
