// The cart as people read it: a line a seat, units of an area on one line.
import type { ClaimedSeat } from "../commands/types";
import { partsOf } from "./seatName";

export interface Line {
  key: string;
  sectionId: string;
  row?: string;
  number?: string;
  seatIds: string[];
  price: number;
  sum: number;
}

export function linesOf(seats: readonly ClaimedSeat[]): Line[] {
  const lines = new Map<string, Line>();
  for (const { seatId, sectionId, price } of seats) {
    const { row, number } = partsOf(seatId);
    // Units of one area may have been held at different prices.
    const key = row === undefined ? `${sectionId}@${price}` : seatId;
    const line = lines.get(key);
    if (line) {
      line.seatIds.push(seatId);
      line.sum += price;
    } else {
      lines.set(key, { key, sectionId, price, sum: price, seatIds: [seatId], ...(row === undefined ? {} : { row, number }) });
    }
  }
  return [...lines.values()];
}
