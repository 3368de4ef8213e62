// When a countdown is spoken: not every second, but at these marks, and once when it begins.

/** Milliseconds that are left. */
export const MARKS = [120_000, 60_000, 30_000, 10_000] as const;

/** The mark that was passed between two looks, the lowest if there were several; nothing at the first look or after an extension. */
export function nextMark(before: number | undefined, left: number): number | undefined {
  if (before === undefined || left >= before || left <= 0) return undefined;
  return MARKS.filter((mark) => before > mark && left <= mark).at(-1);
}
