// The packed form, byte by byte: packed.golden is what the query worker's own test expects.
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { unpack } from "./packed";

function golden(): Uint8Array<ArrayBuffer> {
  return new Uint8Array(readFileSync(new URL("packed.golden", import.meta.url)));
}

describe("packed map", () => {
  it("reads the golden bytes", () => {
    const map = unpack(golden().buffer);
    expect(map.seatsHash).toBe("00000000000000ab");
    expect(map.epoch).toBe(1);
    expect(map.sequence).toBe(258);
    expect([...map.statuses]).toEqual([1, 0, 2, 3, 2]);
  });

  it("says what is wrong with other bytes", () => {
    expect(() => unpack(golden().slice(0, 20).buffer)).toThrow("header");
    expect(() => unpack(golden().slice(0, 37).buffer)).toThrow("5 seats");
    const other = golden();
    other[0] = 0;
    expect(() => unpack(other.buffer)).toThrow("BOSM");
    const newer = golden();
    newer[4] = 2;
    expect(() => unpack(newer.buffer)).toThrow("version 2");
  });
});
