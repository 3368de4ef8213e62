// Loads parts of the page when they are needed; to run a part is one task, to show it another. While workers are exchanged, a part may be missing for a moment: it is asked for again.

import { breath } from "../live/breath";

const PATIENCE_MS = 30_000;
const PAUSE_MS = 1_000;

/** A failed import is remembered by its address, so each repeat asks under another one where it can tell the address. */
export async function load<T>(part: () => Promise<T>, patience = PATIENCE_MS, pause = PAUSE_MS): Promise<T> {
  const end = Date.now() + patience;
  for (;;) {
    try {
      const loaded = await part();
      await breath();
      return loaded;
    } catch (cause) {
      const address = addressOf(cause);
      if (Date.now() + pause > end) throw cause;
      await new Promise((resolve) => setTimeout(resolve, pause));
      if (address === undefined) continue;
      try {
        return (await import(/* @vite-ignore */ `${address}${address.includes("?") ? "&" : "?"}again=${Date.now()}`)) as T;
      } catch {
        // Not there yet.
      }
    }
  }
}

/** Browsers name the address of the script that did not load in the error's text. */
function addressOf(cause: unknown): string | undefined {
  const found = /https?:\/\/\S+?\.m?js(?:\?\S*)?/.exec(cause instanceof Error ? cause.message : "");
  return found?.[0];
}
