// What the command side and the query side answer to one buyer, as far as pages read it. Money is in minor units, times are Unix milliseconds.

export interface ClaimedSeat {
  seatId: string;
  sectionId: string;
  priceCategory: string;
  price: number;
}

/** A hold: all of it. */
export interface Hold {
  holdId: string;
  seats: ClaimedSeat[];
  currency: string;
  total: number;
  expiresAt: number;
  together: boolean;
  sequence: number;
  correlationId: string;
}

/** A reservation as the command side tells it. */
export interface Reserved {
  reservationId: string;
  seats: ClaimedSeat[];
  currency: string;
  total: number;
  reservedAt: number;
  sequence: number;
  correlationId: string;
}

/** What a release or a cancellation gave back, and what is left. */
export interface Released {
  released: string[];
  seats: ClaimedSeat[];
  currency: string;
  total: number;
  expiresAt?: number;
  sequence: number;
}

/** Seats and areas in one hold; best available stands alone. */
export interface Choice {
  seats?: string[];
  areas?: { sectionId: string; quantity: number }[];
  bestAvailable?: BestAvailable;
}

export interface BestAvailable {
  quantity: number;
  sectionId?: string;
  priceCategory?: string;
  together?: "required" | "preferred";
}

export type ConflictReason = "NOT_FOUND" | "HELD" | "RESERVED" | "BLOCKED" | "SINGLE_SEAT_GAP";

export interface Conflict {
  seatId: string;
  reason: ConflictReason;
  mine?: boolean;
}

export type Phase = "Pending" | "Scheduled" | "OnSale" | "SoldOut" | "Closed";

export interface SalesWindow {
  opensAt?: number;
  closesAt: number;
  paused: boolean;
  cancelUntil?: number;
}

export interface SeatCounts {
  total: number;
  available: number;
  held: number;
  reserved: number;
  blocked: number;
}

/** A SeatingEvent as the list shows it. */
export interface Listed {
  eventId: string;
  title: string;
  startsAt: number;
  phase: Phase;
  sales: SalesWindow;
  seats: SeatCounts;
}

export interface OwnSeat {
  seatId: string;
  sectionId: string;
}

/** One's own hold as the query side tells it. */
export interface OwnHold {
  holdId: string;
  eventId: string;
  seats: OwnSeat[];
  /** Of the total; neither is known of what an earlier version held. */
  currency?: string;
  total?: number;
  expiresAt: number;
}

export type PaymentState =
  | "REQUESTED"
  | "PAID"
  | "DECLINED"
  | "REFUSED"
  | "TIMED_OUT"
  | "CANCELLED"
  | "REINSTATED"
  | "REFUND_REQUESTED";

export interface Payment {
  state: PaymentState;
  charged: number;
  refunded: number;
  reason?: string;
}

/** One's own reservation with its payment. */
export interface OwnReservation {
  reservationId: string;
  eventId: string;
  seats: OwnSeat[];
  currency: string;
  total: number;
  reservedAt: number;
  cancelledAt?: number;
  paidBy?: string;
  payment?: Payment;
}

/** `GET /web.json`. */
export interface Web {
  commandUrl?: string;
  auth: { mode: "header" | "jwt" };
  version: string;
}
