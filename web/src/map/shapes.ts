// Shapes of seats: each price category has its own, so that colour is never all that tells them apart.
// SVG paths in a box of 100 by 100, for the canvas and for the legend alike.

const SHAPES = [
  // rounded square
  "M28 8H72A20 20 0 0 1 92 28V72A20 20 0 0 1 72 92H28A20 20 0 0 1 8 72V28A20 20 0 0 1 28 8Z",
  // circle
  "M50 6A44 44 0 1 1 50 94A44 44 0 1 1 50 6Z",
  // hexagon
  "M43.500 6.500Q50 3 56.500 6.500L84.500 22.500Q91 26.500 91 34V66Q91 73.500 84.500 77.500L56.500 93.500Q50 97 43.500 93.500L15.500 77.500Q9 73.500 9 66V34Q9 26.500 15.500 22.500Z",
  // chair: a round back, a flat front
  "M50 7A42 42 0 0 1 92 49V80A12 12 0 0 1 80 92H20A12 12 0 0 1 8 80V49A42 42 0 0 1 50 7Z",
  // octagon
  "M33 7H67L93 33V67L67 93H33L7 67V33Z",
  // leaf: two corners round, two sharp
  "M8 8H58A34 34 0 0 1 92 42V92H42A34 34 0 0 1 8 58Z",
  // square
  "M10 10H90V90H10Z",
  // shield
  "M14 8H86A6 6 0 0 1 92 14V52C92 74 70 90 50 95C30 90 8 74 8 52V14A6 6 0 0 1 14 8Z",
] as const;

/** The shape of seats of the nth dearest category. */
export function shapeOf(nth: number): string {
  return SHAPES[nth % SHAPES.length]!;
}

/** A tick, within the same box. */
export const TICK = "M29 52L44 67L72 35";
/** A cross. */
export const CROSS = "M34 34L66 66M66 34L34 66";
