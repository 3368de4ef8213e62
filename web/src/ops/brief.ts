// Seats in few letters, for tables: "Stalls B 1, 10; Standing × 2".
import { partsOf, titleOf } from "../app/seatName";
import { number } from "../app/i18n/index.svelte";
import type { Chart } from "../live/chart";

/** At most `most` numbers of a row; how many more there are is told. */
export function brief(seatIds: readonly string[], chart: Chart | undefined, most = 6): string {
  const rows = new Map<string, string[]>();
  for (const seatId of seatIds) {
    const { section, row, number } = partsOf(seatId);
    const name = row === undefined ? titleOf(chart, section) : `${titleOf(chart, section)} ${row}`;
    const numbers = rows.get(name) ?? [];
    rows.set(name, numbers);
    // Units of an area are alike.
    numbers.push(row === undefined ? "" : number);
  }
  const told = [...rows].map(([name, numbers]) => {
    if (numbers[0] === "") return `${name} × ${number(numbers.length)}`;
    const more = numbers.length - most;
    return `${name} ${numbers.slice(0, most).join(", ")}${more > 0 ? ` +${number(more)}` : ""}`;
  });
  return told.join("; ");
}
