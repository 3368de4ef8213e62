// The nearest seats that are free, as many neighbours as were lost: what is offered in place of seats that somebody else got.
import { placeInRow, type Chart, type Row } from "../live/chart";

/** A row further away counts as much as this many seats to the side. */
const ROW = 2;

/** Neighbours of a row, free all of them, nearest to its middle `at`; none if there are not so many. */
function inRow(row: Row, count: number, at: number, isFree: (place: number) => boolean): { from: number; away: number } | undefined {
  let best: { from: number; away: number } | undefined;
  let run = 0;
  for (let index = 0; index < row.seats.length; index++) {
    if (row.breaks.includes(index)) run = 0;
    run = isFree(placeInRow(row, index)) ? run + 1 : 0;
    if (run < count) continue;
    const from = index - count + 1;
    const away = Math.abs((from + index) / 2 - at);
    if (best === undefined || away < best.away) best = { from, away };
  }
  return best;
}

/** Places of as many free neighbours as `lost` has, in the same section; none where there are none, or where `lost` are units of areas. */
export function nearest(chart: Chart, lost: readonly number[], isFree: (place: number) => boolean): number[] {
  const [first] = lost;
  if (first === undefined) return [];
  const section = chart.section(first);
  const row = chart.row(first);
  if (row === undefined) return [];
  const rowIndex = section.rows.indexOf(row);
  const indices = lost.filter((place) => chart.row(place) === row).map((place) => row.seats.indexOf(chart.number(place)));
  const middle = (Math.min(...indices) + Math.max(...indices)) / 2;
  let best: { row: Row; from: number; cost: number } | undefined;
  for (const [index, candidate] of section.rows.entries()) {
    // Rows of other lengths are taken to have the same middle.
    const at = middle + (candidate.seats.length - row.seats.length) / 2;
    const found = inRow(candidate, lost.length, at, isFree);
    if (found === undefined) continue;
    const cost = found.away + Math.abs(index - rowIndex) * ROW;
    if (best === undefined || cost < best.cost) best = { row: candidate, from: found.from, cost };
  }
  if (best === undefined) return [];
  const { row: chosen, from } = best;
  return lost.map((_, index) => placeInRow(chosen, from + index));
}
