// The code of a ticket: what it says, and how it is drawn. README.md tells doors what to do with it.
import { encode } from "uqr";

/** White on each side, in modules: what readers need to find the code. */
const QUIET = 4;

/** The reservation, and which of its seats. Both ids begin with the show's, which is said once. */
export function codeOf(reservationId: string, seatId: string): string {
  return `${reservationId}/${seatId.slice(seatId.indexOf(".") + 1)}`;
}

/** What is dark in a white square of so many modules a side, as a path: from left to right what is dark without a gap. */
export function drawn(text: string): { size: number; path: string } {
  // A sixth of it may be dirty or creased, and more where that makes it no larger.
  const { size, data } = encode(text, { ecc: "M", boostEcc: true, border: QUIET });
  let path = "";
  for (const [y, row] of data.entries()) {
    for (let x = 0; x < size; x++) {
      if (!row[x]) continue;
      const from = x;
      while (row[x]) x++;
      path += `M${from} ${y}h${x - from}v1h${from - x}z`;
    }
  }
  return { size, path };
}
