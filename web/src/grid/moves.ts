// Where a key leads in a grid of rows of different lengths. Pure: the grid keeps the focus.

export interface Cell {
  row: number;
  seat: number;
}

/** As many rows as one page is. */
export const PAGE = 10;

/** The cell that a key leads to; nothing if the key means nothing here. `lengths` are the rows'. */
export function move(key: string, { row, seat }: Cell, lengths: readonly number[], isControl = false): Cell | undefined {
  const last = lengths.length - 1;
  const to = (wantedRow: number, wantedSeat: number): Cell => {
    const within = Math.max(0, Math.min(last, wantedRow));
    return { row: within, seat: Math.max(0, Math.min((lengths[within] ?? 1) - 1, wantedSeat)) };
  };
  switch (key) {
    case "ArrowRight":
      return to(row, seat + 1);
    case "ArrowLeft":
      return to(row, seat - 1);
    case "ArrowDown":
      return to(row + 1, seat);
    case "ArrowUp":
      return to(row - 1, seat);
    case "Home":
      return to(isControl ? 0 : row, 0);
    case "End":
      return to(isControl ? last : row, Infinity);
    case "PageDown":
      return to(row + PAGE, seat);
    case "PageUp":
      return to(row - PAGE, seat);
    default:
      return undefined;
  }
}

/** Which rows are in the page while `row` is looked at: `size` of them at most, in fixed steps so that they do not slide under the focus. */
export function windowOf(row: number, count: number, size: number): { from: number; to: number } {
  const from = Math.floor(row / size) * size;
  return { from, to: Math.min(count, from + size) };
}

/** All of them in pieces of `size`; the last one may have less. */
export function inPieces<T>(all: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(all.length / size) }, (_, piece) => all.slice(piece * size, (piece + 1) * size));
}
