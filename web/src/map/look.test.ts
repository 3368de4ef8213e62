// Whoever cannot tell colours apart still reads numbers, and knows prices by shape.
import { describe, expect, it } from "vitest";
import { colorOf } from "../live/palette";
import { inkOn, luminance, mix } from "./look";
import { shapeOf } from "./shapes";

const NTHS = [0, 1, 2, 3, 4, 5, 6, 7];

function contrast(a: string, b: string): number {
  const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (high! + 0.05) / (low! + 0.05);
}

describe("colours of prices", () => {
  it("let numbers be read, and stand out from light and dark ground", () => {
    for (const color of NTHS.map(colorOf)) {
      expect(contrast(color, inkOn(color)), color).toBeGreaterThanOrEqual(4.3);
      if (inkOn(color) === "#ffffff") expect(contrast(color, "#ffffff"), color).toBeGreaterThanOrEqual(4.3);
      expect(contrast(color, "#17181f"), color).toBeGreaterThanOrEqual(3);
    }
  });

  it("are all different, and so are their shapes", () => {
    expect(new Set(NTHS.map(colorOf)).size).toBe(8);
    expect(new Set(NTHS.map(shapeOf)).size).toBe(8);
  });

  it("mix", () => {
    expect(mix("#000000", "#ffffff", 0.5)).toBe("#808080");
    expect(mix("#fff", "#000", 0)).toBe("#ffffff");
  });
});
