// Who buys: names that the service takes, tokens as far as they can be read, and what is sent.
import { beforeEach, describe, expect, it, vi } from "vitest";
import { Reader } from "./reader";
import { isName, readToken, Session } from "./session.svelte";

const kept = new Map<string, string>();
const token = (claims: object) => `e30.${btoa(JSON.stringify(claims)).replaceAll("+", "-").replaceAll("/", "_")}.sig`;

beforeEach(() => {
  kept.clear();
  vi.stubGlobal("sessionStorage", {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => void kept.set(key, value),
    removeItem: (key: string) => void kept.delete(key),
  });
  vi.stubGlobal("location", { hash: "", pathname: "/", search: "" });
});

/** A service that signs buyers in so, and behind a gateway or not. */
function service(mode: "header" | "jwt", isGateway = false): typeof fetch {
  return async (url) =>
    String(url).endsWith("/web.json")
      ? new Response(JSON.stringify({ auth: { mode }, version: "1", commandUrl: "https://buy.example/" }), {
          headers: { "cache-control": "no-cache", date: "Tue, 14 Nov 2023 22:13:20 GMT" },
        })
      : new Response("{}", { status: isGateway ? 404 : 401 });
}

describe("a name", () => {
  it("is what the service takes", () => {
    expect(["alice", "a", "Ann Lee", "x".repeat(128)].map(isName)).toEqual([true, true, true, true]);
    expect(["", " alice", "alice ", "Jörg", "a\nb", "x".repeat(129)].map(isName)).not.toContain(true);
  });

  it("is sent, and kept as long as the tab", async () => {
    const session = new Session();
    await session.start(service("header"));
    expect([session.isKnown, session.commandUrl]).toEqual([false, "https://buy.example"]);
    expect(session.signIn(" alice ")).toBe(true);
    expect(session.headers()).toEqual({ "x-user-id": "alice" });
    const next = new Session();
    await next.start(service("header"));
    expect(next.user).toBe("alice");
    next.signOut();
    expect([next.headers(), kept.size]).toEqual([{}, 0]);
  });

  it("is nobody's business where a gateway knows", async () => {
    const session = new Session();
    await session.start(service("header", true));
    expect([session.isKnown, session.user, session.headers()]).toEqual([true, undefined, {}]);
  });
});

describe("the service's time", () => {
  it("is known before anything is bought, and not from what a cache may have kept", async () => {
    const heard: number[] = [];
    await new Session((date) => heard.push(date)).start(service("header"));
    expect(heard).toEqual([1_700_000_000_000]);
    const kept: typeof fetch = async () => new Response("[]", { headers: { "cache-control": "public, max-age=60", date: "Tue, 14 Nov 2023 22:13:20 GMT" } });
    await new Reader(undefined, "", kept, (date) => heard.push(date)).list();
    expect(heard).toHaveLength(1);
  });
});

describe("a token", () => {
  it("names its user", () => {
    expect(readToken(token({ sub: "alice", exp: 5 }))).toEqual({ user: "alice", endsAt: 5000 });
    expect([readToken("abc"), readToken("a.b.c"), readToken(token({ sub: 1 }))]).toEqual([undefined, undefined, undefined]);
  });

  it("comes with the address, which no longer shows it", async () => {
    const given = token({ sub: "alice", exp: Date.now() / 1000 + 60 });
    vi.stubGlobal("location", { hash: `#token=${given}`, pathname: "/", search: "?event=arena" });
    const replaceState = vi.fn();
    vi.stubGlobal("history", { state: null, replaceState });
    const session = new Session();
    await session.start(service("jwt"));
    expect([session.user, session.headers()]).toEqual(["alice", { authorization: `Bearer ${given}` }]);
    expect(replaceState).toHaveBeenCalledWith(null, "", "/?event=arena");
  });

  it("is not taken once its time is over", async () => {
    const session = new Session();
    await session.start(service("jwt"));
    expect(session.signIn(token({ sub: "alice", exp: 1 }))).toBe(false);
    expect(session.isKnown).toBe(false);
  });
});
