// What is said to those who listen: politely, or at once. Announcer.svelte has the two live regions.

import { untrack } from "svelte";

export const spoken = $state({ polite: "", urgent: "" });

/** The same text twice in a row is said twice: it is told apart by a blank that nobody hears. */
export function announce(text: string, urgent = false): void {
  const region = urgent ? "urgent" : "polite";
  const before = untrack(() => spoken[region]);
  spoken[region] = before === text ? `${text}\u00a0` : text;
}
