// What this browser remembers of a buyer whom a gateway knows and the page does not.
import { beforeEach, expect, it, vi } from "vitest";
import { own } from "./own";

const kept = new Map<string, string>();

beforeEach(() => {
  kept.clear();
  vi.stubGlobal("localStorage", {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => void kept.set(key, value),
  });
});

it("is the hold of a show, as long as it lasts", () => {
  own.held("arena", { holdId: "arena.1", expiresAt: 100 }, 0);
  own.held("hall", { holdId: "hall.1", expiresAt: 200 }, 0);
  expect([own.heldOf("arena", 99), own.heldOf("arena", 100), own.heldOf("hall", 100)]).toEqual(["arena.1", undefined, "hall.1"]);
  own.held("hall", undefined, 50);
  expect([own.heldOf("arena", 50), own.heldOf("hall", 50)]).toEqual(["arena.1", undefined]);
});

it("is nothing once somebody signed out", () => {
  own.held("arena", { holdId: "arena.1", expiresAt: 100 }, 0);
  own.remember("arena.2");
  own.forget();
  expect([own.heldOf("arena", 0), kept.get("boxoffice.reservations")]).toEqual([undefined, "[]"]);
});

it("is not broken by what something else has stored", () => {
  for (const text of ["null", "[]", "{", '{"arena": 1}', '{"arena": {"expiresAt": 100}}']) {
    kept.set("boxoffice.holds", text);
    expect(own.heldOf("arena", 0), text).toBeUndefined();
  }
});
