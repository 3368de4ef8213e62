// Server-sent events, taken apart as their bytes arrive.

export interface Frame {
  id: string | undefined;
  event: string;
  data: string;
}

/** Collects text until frames are complete. Lines end in LF, CR LF or CR; comments are dropped. */
export class FrameParser {
  #rest = "";
  #id: string | undefined;
  #event = "";
  #data: string[] = [];
  /** How long the server wants one to wait before coming again, in milliseconds. */
  retry: number | undefined;

  /** The frames that this text completes. */
  push(text: string): Frame[] {
    const frames: Frame[] = [];
    this.#rest += text;
    // A CR at the end may be the first half of a line end.
    const upto = this.#rest.endsWith("\r") ? this.#rest.length - 1 : this.#rest.length;
    let from = 0;
    for (;;) {
      const end = this.#endOfLine(from, upto);
      if (end < 0) break;
      const line = this.#rest.slice(from, end);
      from = end + (this.#rest.startsWith("\r\n", end) ? 2 : 1);
      const frame = this.#line(line);
      if (frame) frames.push(frame);
    }
    this.#rest = this.#rest.slice(from);
    return frames;
  }

  #endOfLine(from: number, upto: number): number {
    const lf = this.#rest.indexOf("\n", from);
    const cr = this.#rest.indexOf("\r", from);
    const first = cr >= 0 && (lf < 0 || cr < lf) ? cr : lf;
    return first < upto ? first : -1;
  }

  #line(line: string): Frame | undefined {
    if (line === "") return this.#complete();
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (field === "data") this.#data.push(value);
    else if (field === "event") this.#event = value;
    else if (field === "id") this.#id = value;
    else if (field === "retry" && /^\d+$/.test(value)) this.retry = Number(value);
    return undefined;
  }

  #complete(): Frame | undefined {
    const frame = { id: this.#id, event: this.#event || "message", data: this.#data.join("\n") };
    const has = this.#data.length > 0;
    this.#id = undefined;
    this.#event = "";
    this.#data = [];
    return has ? frame : undefined;
  }
}
