// Loads parts of the page when they are needed; to run a part is one task, to show it another. While workers are exchanged, a part may be missing for a moment: it is asked for again.

import { breath } from "../live/breath";

const PATIENCE_MS = 30_000;
const PAUSE_MS = 1_000;

/** Styles that were missing and are asked for again. Vite asks for those of a part once, and would show the part without. */
const missing = new Set<Promise<void>>();

globalThis.addEventListener?.("vite:preloadError", (event) => {
  const href = addressOf(event.payload, "css");
  if (href === undefined) return;
  event.preventDefault();
  const loaded: Promise<void> = styled(href).finally(() => missing.delete(loaded));
  missing.add(loaded);
});

/** A failed import is remembered by its address, so each repeat asks under another one where it can tell the address. */
export async function load<T>(part: () => Promise<T>, patience = PATIENCE_MS, pause = PAUSE_MS): Promise<T> {
  const end = Date.now() + patience;
  for (;;) {
    try {
      const loaded = await part();
      await Promise.all(missing);
      await breath();
      return loaded;
    } catch (cause) {
      const address = addressOf(cause, "m?js");
      if (Date.now() + pause > end) throw cause;
      await new Promise((resolve) => setTimeout(resolve, pause));
      if (address === undefined) continue;
      try {
        const again = (await import(/* @vite-ignore */ `${address}${address.includes("?") ? "&" : "?"}again=${Date.now()}`)) as T;
        await Promise.all(missing);
        return again;
      } catch {
        // Not there yet.
      }
    }
  }
}

/** Browsers name the address of the script that did not load in the error's text, and Vite that of the styles. */
function addressOf(cause: unknown, ending: string): string | undefined {
  const found = new RegExp(`https?://\\S+?\\.${ending}(?:\\?\\S*)?`).exec(cause instanceof Error ? cause.message : "");
  return found?.[0];
}

async function styled(href: string): Promise<void> {
  const end = Date.now() + PATIENCE_MS;
  do {
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    if (await linked(href)) return;
  } while (Date.now() < end);
  throw new TypeError(`${href} cannot be loaded`);
}

function linked(href: string): Promise<boolean> {
  const link = document.createElement("link");
  link.rel = "stylesheet";
  link.href = href;
  return new Promise((resolve) => {
    link.addEventListener("load", () => resolve(true));
    link.addEventListener("error", () => {
      link.remove();
      resolve(false);
    });
    document.head.append(link);
  });
}
