// Numbers and times can be written without the page standing still for it.
import { workerOf } from "../live/workers";
import { locale } from "./i18n/index.svelte";

/** A worker that is not done by then is not waited for. */
const PATIENCE = 500;

let asked: Promise<void> | undefined;

/**
 * With the first format of a language the browser reads what it knows of it, which takes 30 ms of a fast machine. A worker does
 * that, for what is read is there for all threads; whoever waits for it has its time for something else.
 */
export function prepared(): Promise<void> {
  return (asked ??= read(locale()));
}

function read(locale: string): Promise<void> {
  const worker = workerOf(() => new Worker(new URL("./intl.worker.ts", import.meta.url), { type: "module", name: locale }));
  if (!worker) return Promise.resolve();
  return new Promise<void>((resolve) => {
    const done = () => {
      worker.terminate();
      resolve();
    };
    for (const event of ["message", "error"]) worker.addEventListener(event, done, { once: true });
    setTimeout(resolve, PATIENCE);
  });
}
