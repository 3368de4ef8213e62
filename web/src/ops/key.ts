// The operator's key: given once in the address (`/ops#key=...`) or typed, kept as long as the tab, sent as a bearer token.
// Where the process made a cookie of it, or asks for none, there is none.

const STORED = "boxoffice.operator";

/** `#key=` of the address, which then no longer shows it, or what the tab has kept. */
export function takeKey(): string | undefined {
  const given = new URLSearchParams(location.hash.slice(1)).get("key");
  if (given === null) return stored();
  history.replaceState(history.state, "", location.pathname + location.search);
  keepKey(given);
  return given;
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
