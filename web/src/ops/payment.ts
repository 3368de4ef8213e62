// Which states of a payment are good, which need somebody.
import type { PaymentState } from "../commands/types";

const tones: Record<PaymentState, "good" | "warn" | "bad" | ""> = {
  REQUESTED: "warn",
  PAID: "good",
  DECLINED: "bad",
  REFUSED: "bad",
  TIMED_OUT: "bad",
  CANCELLED: "",
  REINSTATED: "good",
  REFUND_REQUESTED: "warn",
};

export const tone = (state: PaymentState) => tones[state];
