// What seats are called: ids in words, and lists of them. `theatre.STALLS-A-8` is "Stalls, row A, seat 8".
import { order } from "../intl";
import { list } from "./format";
import { t } from "./i18n/index.svelte";

/** Whoever knows what sections are called: a chart, or less. */
export interface Titles {
  sectionById(id: string): { title: string } | undefined;
}

/** 9 before 10. */
const byNumber = (a: string, b: string) => order().compare(a, b);

export interface SeatParts {
  section: string;
  /** None of a unit of an area. */
  row?: string;
  number: string;
}

export function partsOf(seatId: string): SeatParts {
  const [section = "", second = "", third] = seatId.slice(seatId.indexOf(".") + 1).split("-");
  return third === undefined ? { section, number: second } : { section, row: second, number: third };
}

export function titleOf(chart: Titles | undefined, section: string): string {
  return chart?.sectionById(section)?.title ?? section;
}

export function seatName(seatId: string, chart?: Titles): string {
  const { section, row, number } = partsOf(seatId);
  const title = titleOf(chart, section);
  return row === undefined ? t("seat.unit", { section: title }) : t("seat.name", { section: title, row, number });
}

/** Seats row by row, units of areas by their count; at most so many rows and areas by name. */
export function seatNames(seatIds: readonly string[], chart?: Titles, most = 6): string {
  const units = new Map<string, number>();
  const rows = new Map<string, SeatParts[]>();
  for (const seatId of seatIds) {
    const parts = partsOf(seatId);
    const { section, row } = parts;
    if (row === undefined) units.set(section, (units.get(section) ?? 0) + 1);
    else rows.set(`${section}-${row}`, [...(rows.get(`${section}-${row}`) ?? []), parts]);
  }
  const names = [...rows.values()].map((seats) => {
    const { section, row = "", number } = seats[0]!;
    const values = { section: titleOf(chart, section), row };
    if (seats.length === 1) return t("seat.name", { ...values, number });
    const numbers = seats.map(({ number }) => number).sort(byNumber);
    return t("seat.several", { ...values, numbers: list(numbers) });
  });
  for (const [section, n] of units) names.push(`${t("seat.unit", { section: titleOf(chart, section) })} × ${n}`);
  if (names.length <= most) return names.join("; ");
  return [...names.slice(0, most - 1), `+${names.length - most + 1}`].join("; ");
}
