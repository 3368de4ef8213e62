// Seats by name, as people type them: "A-12-4", "a 12 4", "Stalls, row A, seat 8", a section alone.
import { placeInRow, type Chart, type Section } from "../live/chart";

export type Named = { kind: "seat"; place: number } | { kind: "section"; section: Section } | { kind: "unknown"; isSection: boolean };

const plain = (text: string) =>
  text
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .toLowerCase()
    .trim();

/** Words for row and seat that people put between names, in the page's languages. */
const FILLERS = new Set(["row", "seat", "reihe", "platz", "sitz", "section", "block", "bereich"]);

export function find(chart: Chart, typed: string): Named {
  const text = plain(typed.slice(typed.indexOf(".") + 1));
  const section = longest(chart, text);
  if (section === undefined) return { kind: "unknown", isSection: true };
  const words = text
    .slice(section.length)
    .split(/[^\p{L}\p{N}_]+/u)
    .filter((word) => word !== "" && !FILLERS.has(word));
  if (words.length === 0 || section.found.capacity !== undefined) return { kind: "section", section: section.found };
  const [rowName, number] = words;
  const row = section.found.rows.find(({ name }) => plain(name) === rowName);
  const index = row?.seats.findIndex((seat) => plain(seat) === number) ?? -1;
  if (words.length !== 2 || row === undefined || index < 0) return { kind: "unknown", isSection: false };
  return { kind: "seat", place: placeInRow(row, index) };
}

/** The section whose id or title the text begins with, followed by something that is no letter or digit; the longest of several. */
function longest(chart: Chart, text: string): { found: Section; length: number } | undefined {
  let best: { found: Section; length: number } | undefined;
  for (const found of chart.sections) {
    for (const name of [plain(found.id), plain(found.title)]) {
      const isWhole = text.startsWith(name) && !/^[\p{L}\p{N}_]/u.test(text.slice(name.length));
      if (isWhole && name.length > (best?.length ?? 0)) best = { found, length: name.length };
    }
  }
  return best;
}

/** A name to show how they are typed: the first seat that there is. */
export function example(chart: Chart): string {
  const section = chart.sections.find(({ rows }) => rows.length > 0);
  const row = section?.rows[Math.min(1, section.rows.length - 1)];
  return section && row ? `${section.id}-${row.name}-${row.seats[Math.min(3, row.seats.length - 1)]}` : "";
}
