// What staff may do with chosen seats, and how it is done.
import type { Status } from "../live/chart";
import type { Admin } from "./api";
import type { Claim } from "./ledger.svelte";

export const ACTIONS = ["hold", "sell", "block", "unblock", "release", "cancel"] as const;
export type Action = (typeof ACTIONS)[number];

/** What can be done with seats of these statuses together. */
export function possible(statuses: ReadonlySet<Status>): Action[] {
  const only = (...some: Status[]) => statuses.size > 0 && [...statuses].every((status) => some.includes(status));
  return ACTIONS.filter((action) => {
    switch (action) {
      case "hold":
        return only(0, 3);
      case "sell":
        return only(0, 3) || only(1);
      case "block":
        return only(0);
      case "unblock":
        return only(3);
      case "release":
        return only(1);
      case "cancel":
        return only(2);
    }
  });
}

/** Whether an action is about a hold or a reservation that is there, all of it, and not about the chosen seats alone. */
export function isOfClaim(action: Action, statuses: ReadonlySet<Status>): boolean {
  return action === "release" || action === "cancel" || (action === "sell" && statuses.has(1));
}

export interface Wish {
  action: Action;
  eventId: string;
  seats: string[];
  /** Where it is about one that is there. */
  claim?: Claim;
  /** Some of the seats are blocked. */
  hasBlocked: boolean;
  /** Names it: repeated after a failure, it is not done twice. */
  key: string;
}

export type Done =
  | { action: "hold"; until: number }
  | { action: "sell"; total: number; currency: string }
  | { action: "release" | "cancel" | "block" | "unblock"; n: number };

/** Does it. `text` is for whom, why, or a note, as the action asks for. */
export async function carryOut(admin: Admin, wish: Wish, text: string): Promise<Done> {
  const { action, eventId, seats, claim, hasBlocked, key } = wish;
  switch (action) {
    case "hold":
      return { action, until: (await admin.hold(eventId, text, seats, hasBlocked, key)).expiresAt };
    case "sell": {
      const holdId = claim?.holdId ?? (await admin.hold(eventId, text, seats, hasBlocked, key)).holdId;
      const { total, currency } = await admin.sell(holdId, `${key}-sale`);
      return { action, total, currency };
    }
    case "release":
      return { action, n: (await admin.release(claim?.holdId ?? "", text)).released.length };
    case "cancel":
      return { action, n: (await admin.cancel(claim?.reservationId ?? "", text)).released.length };
    case "block":
      await admin.block(eventId, seats, text);
      return { action, n: seats.length };
    case "unblock":
      await admin.unblock(eventId, seats);
      return { action, n: seats.length };
  }
}

/** The one hold or reservation that all of these seats are of: none is known, or they are of several. */
export async function oneClaim(
  find: (seatId: string) => Promise<Claim | undefined>,
  seats: readonly string[],
): Promise<{ claim: Claim } | { unknown: string } | { isSeveral: true }> {
  let claim: Claim | undefined;
  for (const seatId of seats) {
    const found = await find(seatId);
    if (found === undefined) return { unknown: seatId };
    if (claim && (claim.reservationId ?? claim.holdId) !== (found.reservationId ?? found.holdId)) return { isSeveral: true };
    claim = found;
  }
  return claim ? { claim } : { unknown: "" };
}
