// A seat map as few bytes as it takes: `application/vnd.boxoffice.seatmap`, a quarter of a byte a seat.
//
// This file stands alone: others import it as `boxoffice-web/packed`. All numbers are unsigned, the highest byte first.
//
// | bytes | what                                                                                                 |
// |-------|------------------------------------------------------------------------------------------------------|
// | 4     | `BOSM`                                                                                               |
// | 1     | version of the form: 1                                                                               |
// | 3     | 0                                                                                                    |
// | 8     | `seatsHash` of the chart, as a number                                                                |
// | 8     | epoch                                                                                                |
// | 8     | sequence                                                                                             |
// | 4     | how many seats there are                                                                             |
// | ...   | four seats a byte in the order of the chart, the first in the two lowest bits: 0 AVAILABLE, 1 HELD,  |
// |       | 2 RESERVED, 3 BLOCKED                                                                                |

/** What the map is asked for with, in `accept`. */
export const MEDIA_TYPE = "application/vnd.boxoffice.seatmap";

/** What a seat is: AVAILABLE, HELD, RESERVED, BLOCKED. */
export type Status = 0 | 1 | 2 | 3;

/** Names of statuses, as they stand in JSON; a status is the index of its name. */
export const STATUSES = ["AVAILABLE", "HELD", "RESERVED", "BLOCKED"] as const;

/** A map at a moment. */
export interface PackedMap {
  /** Sixteen hexadecimal digits, as the chart tells it: places mean seats of a chart with this hash alone. */
  seatsHash: string;
  epoch: number;
  sequence: number;
  /** One byte a seat, in the order of the chart. */
  statuses: Uint8Array<ArrayBuffer>;
}

const HEADER = 36;
const VERSION = 1;

/** Reads a packed map. Throws a `RangeError` that says what is wrong with the bytes. */
export function unpack(buffer: ArrayBuffer): PackedMap {
  const view = new DataView(buffer);
  const bytes = new Uint8Array(buffer);
  if (bytes.length < HEADER) throw new RangeError(`packed map: ${bytes.length} bytes are less than its header`);
  if (view.getUint32(0) !== 0x424f534d) throw new RangeError("packed map: it does not begin with BOSM");
  if (bytes[4] !== VERSION) throw new RangeError(`packed map: version ${bytes[4]} is not known here`);
  const total = view.getUint32(32);
  if (bytes.length !== HEADER + Math.ceil(total / 4)) {
    throw new RangeError(`packed map: ${bytes.length} bytes are not those of ${total} seats`);
  }
  const statuses = new Uint8Array(total);
  for (let place = 0; place < total; place++) {
    statuses[place] = (bytes[HEADER + (place >> 2)]! >> ((place & 3) * 2)) & 3;
  }
  return {
    seatsHash: view.getBigUint64(8).toString(16).padStart(16, "0"),
    epoch: Number(view.getBigUint64(16)),
    sequence: Number(view.getBigUint64(24)),
    statuses,
  };
}
