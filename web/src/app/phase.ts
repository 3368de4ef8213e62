// Where a sale stands, as buyers read it: one word and one tone, the clock taken into account.
import type { Phase } from "../commands/types";
import type { Key } from "./i18n/index.svelte";

export type Standing = Phase | "Paused" | "Few";

interface Sold {
  phase: Phase;
  sales: { opensAt?: number; closesAt?: number; paused: boolean };
  available: number;
  total: number;
}

/** Less than this part of all seats is few; the last one always is. */
const FEW = 0.05;

/** The service tells the phase; between two answers the clock goes on. */
export function standing({ phase, sales, available, total }: Sold, now: number): Standing {
  if (phase === "Pending") return phase;
  if (phase === "Closed" || (sales.closesAt !== undefined && now >= sales.closesAt)) return "Closed";
  if (sales.opensAt !== undefined && now < sales.opensAt) return "Scheduled";
  if (sales.paused) return "Paused";
  if (available === 0) return "SoldOut";
  return available < Math.max(2, total * FEW) ? "Few" : "OnSale";
}

export function toneOf(standing: Standing): "good" | "warn" | "bad" | "accent" | "" {
  switch (standing) {
    case "OnSale":
      return "good";
    case "Few":
    case "Paused":
      return "warn";
    case "SoldOut":
      return "bad";
    case "Scheduled":
      return "accent";
    case "Pending":
    case "Closed":
      return "";
  }
}

export const keyOf = (standing: Standing): Key => `phase.${standing}`;

/** Whether seats can be chosen. */
export const isOpen = (standing: Standing): boolean => standing === "OnSale" || standing === "Few";
