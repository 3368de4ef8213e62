// Workers, where they may be.

/** What `make` makes; nothing where workers are forbidden, or the script is of another origin than the page (an embedded map). */
export function workerOf(make: () => Worker): Worker | undefined {
  if (typeof Worker === "undefined" || new URL(import.meta.url).origin !== location.origin) return undefined;
  try {
    return make();
  } catch {
    return undefined;
  }
}
