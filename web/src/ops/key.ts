// What the address says: the show, and the operator's key, which is given once (`/ops#key=...`) or typed, kept as long as the tab
// and sent as a bearer token. Where the process made a cookie of it, or asks for none, there is none.

const STORED = "boxoffice.operator";

/** What stands behind `#` in the address; it is not sent to anybody. */
function fragment(): URLSearchParams {
  return new URLSearchParams(location.hash.slice(1));
}

function putFragment(parts: URLSearchParams): void {
  history.replaceState(history.state, "", `${location.pathname}${location.search}#${parts.toString()}`);
}

/** `#key=` of the address, which then no longer shows it, or what the tab has kept. */
export function takeKey(): string | undefined {
  const parts = fragment();
  const given = parts.get("key");
  if (given === null) return stored();
  parts.delete("key");
  putFragment(parts);
  keepKey(given);
  return given;
}

/** The show that the address names. */
export function shownEvent(): string | undefined {
  return fragment().get("event") ?? undefined;
}

export function putEvent(eventId: string): void {
  putFragment(new URLSearchParams({ event: eventId }));
}

export function keepKey(key: string | undefined): void {
  try {
    if (key === undefined) sessionStorage.removeItem(STORED);
    else sessionStorage.setItem(STORED, key);
  } catch {
    // Storage may be forbidden: then it is asked for on every load.
  }
}

function stored(): string | undefined {
  try {
    return sessionStorage.getItem(STORED) ?? undefined;
  } catch {
    return undefined;
  }
}
