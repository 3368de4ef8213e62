// Colours of price categories, from the dearest on. They differ in hue and in lightness, on light and on dark ground.
// White letters can be read on all but amber, which takes dark ones. Nobody has to tell them apart: seats of a category have a shape of their own, too (src/map/shapes.ts).

const COLORS = [
  "#6750d6", // violet
  "#0b75d4", // blue
  "#0b8574", // teal
  "#e39a12", // amber
  "#d6336c", // rose
  "#3d872c", // green
  "#a85a2a", // copper
  "#66748f", // slate
] as const;

/** The colour of the nth dearest category. */
export function colorOf(nth: number): string {
  return COLORS[nth % COLORS.length]!;
}
