// Who buys: a name that one types (one process), whoever a gateway says (a cluster), or the bearer of a token (auth.mode jwt).
import type { OnTime } from "../dates";
import { Reader } from "./reader";
import type { Web } from "./types";

const NAME = "boxoffice.name";
const TOKEN = "boxoffice.token";

/** What the service takes as a user: 1 to 128 bytes, no control characters, no blank at either end. */
export function isName(name: string): boolean {
  return /^[\x21-\x7e]([\x20-\x7e]{0,126}[\x21-\x7e])?$/.test(name);
}

/** The user that a token names and when it ends, as far as it can be read; the service decides whether it is believed. */
export function readToken(token: string): { user: string; endsAt: number } | undefined {
  try {
    const part = token.split(".")[1] ?? "";
    const bytes = Uint8Array.from(atob(part.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
    const claims: unknown = JSON.parse(new TextDecoder().decode(bytes));
    if (typeof claims !== "object" || claims === null || !("sub" in claims) || typeof claims.sub !== "string") return undefined;
    const seconds = "exp" in claims && typeof claims.exp === "number" ? claims.exp : Infinity;
    return { user: claims.sub, endsAt: seconds * 1000 };
  } catch {
    return undefined;
  }
}

export class Session {
  /** Unknown until /web.json was read. */
  mode = $state<"header" | "jwt">();
  commandUrl = $state("");
  version = $state("");
  /** The name or the token's subject. */
  user = $state<string>();
  /** A gateway names the user; the page does not know how. */
  gateway = $state(false);
  #token: string | undefined;

  /** `ontime` is told the service's time, before anybody is shown how long something lasts. */
  constructor(readonly ontime?: OnTime) {}

  get isKnown(): boolean {
    return this.gateway || this.user !== undefined;
  }

  headers = (): Record<string, string> => {
    if (this.#token !== undefined) return { authorization: `Bearer ${this.#token}` };
    return this.mode === "header" && this.user !== undefined ? { "x-user-id": this.user } : {};
  };

  /** Reads how one signs in, and whether one is signed in already. */
  async start(ask?: typeof fetch): Promise<void> {
    const web = await new Reader(undefined, "", ask, this.ontime).web();
    this.take(web);
    if (web.auth.mode === "jwt") {
      const given = takeFragment() ?? stored(TOKEN);
      if (given !== undefined) this.signIn(given);
      return;
    }
    const name = stored(NAME);
    // A name was asked for only because no gateway knew one.
    if (name === undefined || !this.signIn(name)) this.gateway = await new Reader(undefined, "", ask).isKnown();
  }

  take(web: Web): void {
    this.mode = web.auth.mode;
    this.commandUrl = (web.commandUrl ?? "").replace(/\/$/, "");
    this.version = web.version;
  }

  /** Takes a name, or a token; tells whether it can be one. Kept as long as the tab. */
  signIn(given: string): boolean {
    const text = given.trim();
    if (this.mode === "jwt") {
      const read = readToken(text);
      if (read === undefined || read.endsAt <= Date.now()) return false;
      this.#token = text;
      this.user = read.user;
      keep(TOKEN, text);
      return true;
    }
    if (!isName(text)) return false;
    this.user = text;
    keep(NAME, text);
    return true;
  }

  signOut(): void {
    this.#token = undefined;
    this.user = undefined;
    keep(NAME, undefined);
    keep(TOKEN, undefined);
  }
}

/** `#token=...` of the address, which then no longer shows it. */
function takeFragment(): string | undefined {
  const token = new URLSearchParams(location.hash.slice(1)).get("token") ?? undefined;
  if (token !== undefined) history.replaceState(history.state, "", location.pathname + location.search);
  return token;
}

function stored(key: string): string | undefined {
  try {
    return sessionStorage.getItem(key) ?? undefined;
  } catch {
    // Storage may be forbidden: then one signs in again on every load.
    return undefined;
  }
}

function keep(key: string, value: string | undefined): void {
  try {
    if (value === undefined) sessionStorage.removeItem(key);
    else sessionStorage.setItem(key, value);
  } catch {
    // As above.
  }
}
