// What a buyer has. Behind a gateway the page does not know under which name to ask: then it asks for what this browser reserved.
import type { Reader } from "../commands/reader";
import type { OwnHold, OwnReservation } from "../commands/types";
import { Problem } from "../commands/problem";

const STORED = "boxoffice.reservations";
const MOST = 50;

function remembered(): string[] {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(STORED) ?? "[]");
    return Array.isArray(kept) ? kept.filter((id): id is string => typeof id === "string") : [];
  } catch {
    return [];
  }
}

function keep(ids: string[]): void {
  try {
    localStorage.setItem(STORED, JSON.stringify(ids.slice(0, MOST)));
  } catch {
    // Storage may be forbidden: then they are in the mail alone.
  }
}

export const own = {
  remember(reservationId: string): void {
    keep([reservationId, ...remembered().filter((id) => id !== reservationId)]);
  },

  forget(): void {
    keep([]);
  },

  holds(reader: Reader, user: string | undefined): Promise<OwnHold[]> {
    return user === undefined ? Promise.resolve([]) : reader.holds(user);
  },

  /** Newest first. What was reserved a moment ago may not be among them yet: it is asked for by its id. */
  async reservations(reader: Reader, user: string | undefined, latest?: string): Promise<OwnReservation[]> {
    const found = user === undefined ? [] : await reader.reservations(user);
    const known = new Set(found.map(({ reservationId }) => reservationId));
    const ids = user === undefined ? remembered() : latest === undefined ? [] : [latest];
    const more = await Promise.all(
      ids.filter((id) => !known.has(id)).map((id) => reader.reservation(id).catch((cause: unknown) => gone(cause))),
    );
    return [...more.filter((one) => one !== undefined), ...found].sort((a, b) => b.reservedAt - a.reservedAt);
  },
};

/** A reservation that is not there any more, or not there for this user. */
function gone(cause: unknown): undefined {
  if (cause instanceof Problem && cause.status === 404) return undefined;
  throw cause;
}
