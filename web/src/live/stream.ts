// Follows a SeatingEvent's stream: opens it, watches that it lives, comes again with the last id, waits longer each time.
import { dateOf, type OnTime } from "../dates";
import { FrameParser, type Frame } from "./frames";
import { ReadError, refusal } from "./reading";

export interface StreamOptions {
  address: string;
  fetch: typeof fetch;
  /** Id of what one has already. */
  lastEventId: string | undefined;
  /** It is open at a server that has got to this sequence of this epoch. */
  onopen(sequence: number, epoch: number): void;
  onframe(frame: Frame): void;
  /** The stream is open, or something arrived on it. */
  onsign(age: number): void;
  /** Told the service's time whenever the stream is opened: no cache keeps it. */
  ontime: OnTime | undefined;
  /** The stream is gone and will be tried again. */
  onlost(error: ReadError): void;
  /** It will not be tried again. */
  onend(error: ReadError): void;
}

/** The server says something every 15 s. */
const SILENCE = 40_000;
const TO_OPEN = 15_000;
const FIRST_WAIT = 500;
const LONGEST_WAIT = 15_000;

/** How long to wait before try number `tries` (from 1): doubled each time, spread so that not all come at once. */
export function backOff(tries: number, random = Math.random()): number {
  const most = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** (tries - 1));
  return most / 2 + (most / 2) * random;
}

export class Stream {
  #lastEventId: string | undefined;
  #stop = new AbortController();
  #tries = 0;
  #wake: (() => void) | undefined;

  constructor(readonly options: StreamOptions) {
    this.#lastEventId = options.lastEventId;
  }

  /** Follows until it is closed. */
  async follow(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const error = await this.#once();
      if (this.#stop.signal.aborted) return;
      if (!error.passes) return this.options.onend(error);
      this.#tries++;
      this.options.onlost(error);
      await this.#sleep(Math.max(error.retryAfter ?? 0, backOff(this.#tries)));
    }
  }

  /** Tries again at once: the network is back. */
  hurry(): void {
    this.#wake?.();
  }

  close(): void {
    this.#stop.abort();
    this.#wake?.();
  }

  #sleep(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** One connection, from its request to its end. */
  async #once(): Promise<ReadError> {
    const dead = new AbortController();
    const stop = () => dead.abort();
    this.#stop.signal.addEventListener("abort", stop);
    let watch = setTimeout(stop, TO_OPEN);
    const alive = () => {
      clearTimeout(watch);
      watch = setTimeout(stop, SILENCE);
    };
    try {
      const headers: Record<string, string> = { accept: "text/event-stream" };
      if (this.#lastEventId !== undefined) headers["last-event-id"] = this.#lastEventId;
      const sentAt = Date.now();
      const response = await this.options.fetch(this.options.address, { headers, signal: dead.signal, cache: "no-store" });
      if (!response.ok || !response.body) return await refusal(response);
      const parser = new FrameParser();
      const text = response.body.pipeThrough(new TextDecoderStream()).getReader();
      alive();
      const { headers: told } = response;
      const date = dateOf(response);
      if (date !== undefined) this.options.ontime?.(date, sentAt);
      this.options.onsign(Number(told.get("x-view-age") ?? 0));
      // Not told to pages of other origins, unless the service exposes it.
      const sequence = told.get("x-view-sequence");
      if (sequence !== null) this.options.onopen(Number(sequence), Number(told.get("x-view-epoch") ?? 0));
      for (;;) {
        const { done, value } = await text.read();
        if (done) return new ReadError("UNREACHABLE");
        this.#tries = 0;
        alive();
        for (const frame of parser.push(value)) {
          if (this.#stop.signal.aborted) return new ReadError("UNREACHABLE");
          if (frame.id !== undefined) this.#lastEventId = frame.id;
          this.options.onframe(frame);
        }
        this.options.onsign(0);
      }
    } catch {
      return new ReadError("UNREACHABLE");
    } finally {
      clearTimeout(watch);
      this.#stop.signal.removeEventListener("abort", stop);
      dead.abort();
    }
  }
}
