// Colours of price categories, from the dearest on. They differ in hue and in lightness, on light and on dark ground.
// Nobody has to tell them apart: seats of a category have a shape of their own, too (src/map/shapes.ts).

const COLORS = [
  "#6e56cf", // violet
  "#0c8ce9", // blue
  "#0fa58f", // teal
  "#e2930b", // amber
  "#e0487b", // rose
  "#5aa83c", // green
  "#b8663d", // copper
  "#7a88a8", // slate
] as const;

/** The colour of the nth dearest category. */
export function colorOf(nth: number): string {
  return COLORS[nth % COLORS.length]!;
}
