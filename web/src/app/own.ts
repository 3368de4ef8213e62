// What a buyer has. Behind a gateway the page does not know under which name to ask: then it asks for what this browser held and reserved.
import type { Reader } from "../commands/reader";
import type { OwnHold, OwnReservation } from "../commands/types";
import { Problem } from "../commands/problem";

const STORED = "boxoffice.reservations";
const HELD = "boxoffice.holds";
const MOST = 50;

/** A hold of this browser's, and when it ends by the service's clock. */
interface Held {
  holdId: string;
  expiresAt: number;
}

function remembered(): string[] {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(STORED) ?? "[]");
    return Array.isArray(kept) ? kept.filter((id): id is string => typeof id === "string") : [];
  } catch {
    return [];
  }
}

/** By show. */
function heldThen(): Record<string, Partial<Held> | null | undefined> {
  try {
    return (JSON.parse(localStorage.getItem(HELD) ?? "{}") as Record<string, Partial<Held> | null> | null) ?? {};
  } catch {
    return {};
  }
}

function lasts(held: Partial<Held> | null | undefined, now: number): held is Held {
  return typeof held?.holdId === "string" && (held.expiresAt ?? 0) > now;
}

function keep(key: string, what: unknown): void {
  try {
    localStorage.setItem(key, JSON.stringify(what));
  } catch {
    // Storage may be forbidden: then they are in the mail alone.
  }
}

export const own = {
  remember(reservationId: string): void {
    keep(STORED, [reservationId, ...remembered().filter((id) => id !== reservationId)].slice(0, MOST));
  },

  /** The hold of a show as it is now, or that there is none any more. */
  held(eventId: string, hold: Held | undefined, now: number): void {
    const others = Object.entries(heldThen()).filter(([id, held]) => id !== eventId && lasts(held, now));
    const one: [string, Held][] = hold === undefined ? [] : [[eventId, { holdId: hold.holdId, expiresAt: hold.expiresAt }]];
    keep(HELD, Object.fromEntries([...one, ...others].slice(0, MOST)));
  },

  /** The hold of a show that this browser had last. */
  heldOf(eventId: string, now: number): string | undefined {
    const { [eventId]: held } = heldThen();
    return lasts(held, now) ? held.holdId : undefined;
  },

  forget(): void {
    keep(STORED, []);
    keep(HELD, {});
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
