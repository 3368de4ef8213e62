// What Chromium's own trace says of one page: tasks of its thread, paints of its worker, marks that it made.
//
// Each has two times. The clock's is what a reader feels, and has in it whatever else the machine does; processor time is what
// the page itself takes. Whoever measures on a machine that is shared reads the second one.
import type { Browser } from "playwright-core";

/** An event of a trace, as far as it is read here. Times are microseconds. */
interface Event {
  name: string;
  ph: string;
  pid: number;
  tid: number;
  ts: number;
  dur?: number;
  tdur?: number;
  args: { name?: string; data?: { documentLoaderURL?: string } };
}

/** In milliseconds. */
export interface Piece {
  begin: number;
  clock: number;
  processor: number;
}

const CATEGORIES = ["__metadata", "blink.user_timing", "devtools.timeline", "disabled-by-default-devtools.timeline"];

export class Trace {
  readonly #events: Event[];

  private constructor(events: Event[]) {
    this.#events = events;
  }

  /** What the whole browser does while `work` lasts. */
  static async during(browser: Browser, work: () => Promise<unknown>): Promise<Trace> {
    await browser.startTracing(undefined, { categories: CATEGORIES });
    try {
      await work();
    } catch (error) {
      await browser.stopTracing();
      throw error;
    }
    const { traceEvents } = JSON.parse((await browser.stopTracing()).toString()) as { traceEvents: Event[] };
    return new Trace(traceEvents);
  }

  /** The process that shows a page whose address begins so: it went there while the trace lasted. */
  processOf(address: string): number {
    const begun = this.#begun(address);
    if (begun === undefined) throw new Error(`the trace knows no page at ${address}`);
    return begun.pid;
  }

  /** Milliseconds from the way to a page to the first mark of this name, and to the first paint of its worker behind that. */
  until(address: string, mark: string): { marked: number; painted: number } {
    const begun = this.#begun(address);
    const marked = this.#events.find(({ name, pid }) => name === mark && pid === begun?.pid);
    if (begun === undefined || marked === undefined) throw new Error(`the trace knows no ${mark}`);
    const painted = this.paints(begun.pid).find(({ begin }) => begin * 1000 >= marked.ts);
    if (painted === undefined) throw new Error(`the worker did not paint after ${mark}`);
    return { marked: (marked.ts - begun.ts) / 1000, painted: painted.begin + painted.clock - begun.ts / 1000 };
  }

  /** Tasks of a process' main thread, the longest first. */
  tasks(process: number): Piece[] {
    return this.#pieces(process, "CrRendererMain", "RunTask").sort((a, b) => b.processor - a.processor);
  }

  /** Paints of a process' worker, in order. */
  paints(process: number): Piece[] {
    return this.#pieces(process, "DedicatedWorker thread", "FireAnimationFrame");
  }

  #begun(address: string): Event | undefined {
    return this.#events.findLast(({ name, args }) => name === "navigationStart" && args.data?.documentLoaderURL?.startsWith(address));
  }

  #pieces(process: number, thread: string, event: string): Piece[] {
    const threads = new Set(
      this.#events
        .filter(({ ph, pid, name, args }) => ph === "M" && pid === process && name === "thread_name" && args.name === thread)
        .map(({ tid }) => tid),
    );
    return this.#events
      .filter(({ ph, pid, tid, name }) => ph === "X" && pid === process && threads.has(tid) && name === event)
      .map(({ ts, dur = 0, tdur = 0 }) => ({ begin: ts / 1000, clock: dur / 1000, processor: tdur / 1000 }))
      .sort((a, b) => a.begin - b.begin);
  }
}

/** The value that `share` of all do not exceed. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}
