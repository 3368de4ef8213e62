// What a ticket's code says, and that all of it is drawn.
import { encode } from "uqr";
import { expect, test } from "vitest";
import { codeOf, drawn } from "./code";

const RESERVATION = "hall.0b7f1c52-9f0e-4a57-8d5e-6c1f1e0a9d44";

test("it says the reservation and which of its seats", () => {
  expect(codeOf(RESERVATION, "hall.STALLS-A-3")).toBe(`${RESERVATION}/STALLS-A-3`);
  expect(codeOf(RESERVATION, "hall.FLOOR-17")).toBe(`${RESERVATION}/FLOOR-17`);
});

test.each([codeOf(RESERVATION, "hall.STALLS-A-3"), "x".repeat(200)])("what is dark is drawn, and nothing else: %s", (text) => {
  const { size, path } = drawn(text);
  const dark = new Set<string>();
  for (const [, x, y, length, back] of path.matchAll(/M(\d+) (\d+)h(\d+)v1h(-\d+)z/g)) {
    expect(Number(back)).toBe(-Number(length));
    for (let at = Number(x); at < Number(x) + Number(length); at++) dark.add(`${at},${y}`);
  }
  const { data } = encode(text, { ecc: "M", boostEcc: true, border: 0 });
  expect(size).toBe(data.length + 8);
  const wanted = data.flatMap((row, y) => row.flatMap((is, x) => (is ? [`${x + 4},${y + 4}`] : [])));
  expect(dark).toEqual(new Set(wanted));
});
