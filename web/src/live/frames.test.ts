// Frames arrive in pieces that end anywhere.
import { describe, expect, it } from "vitest";
import { FrameParser } from "./frames";

const TEXT = 'retry: 1000\n\nid: 3\nevent: changes\ndata: {"sequence":3}\n\n:\n\nevent: definition\r\ndata: a\r\ndata: b\r\n\r\n';

describe("frames", () => {
  it("are told once they are complete", () => {
    const parser = new FrameParser();
    const frames = [...TEXT].flatMap((letter) => parser.push(letter));
    expect(frames).toEqual([
      { id: "3", event: "changes", data: '{"sequence":3}' },
      { id: undefined, event: "definition", data: "a\nb" },
    ]);
    expect(parser.retry).toBe(1000);
  });

  it("are the same however the text is cut", () => {
    const whole = new FrameParser().push(TEXT);
    for (let at = 1; at < TEXT.length; at++) {
      const parser = new FrameParser();
      expect([...parser.push(TEXT.slice(0, at)), ...parser.push(TEXT.slice(at))]).toEqual(whole);
    }
  });
});
