// What a payment means for the seats.
import type { OwnReservation } from "../commands/types";

/** The seats went back because nothing was paid. */
export function hasFailed({ payment }: OwnReservation): boolean {
  return payment !== undefined && ["DECLINED", "REFUSED", "TIMED_OUT"].includes(payment.state);
}

/** Nothing more is to be waited for. */
export function isSettled(reservation: OwnReservation): boolean {
  const { payment, paidBy, cancelledAt } = reservation;
  if (payment === undefined) return paidBy !== undefined || cancelledAt !== undefined;
  return payment.state !== "REQUESTED";
}
