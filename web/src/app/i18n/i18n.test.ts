// Both languages say everything, with the same values filled in.
import { describe, expect, it } from "vitest";
import { de } from "./de";
import { en } from "./en";
import { choose, fill, type Plural } from "./index.svelte";

const forms = (message: string | Plural): string[] => (typeof message === "string" ? [message] : [message.one, message.other]);
const names = (message: string | Plural) =>
  [...new Set(forms(message).flatMap((text) => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)))].sort();

describe("English and German", () => {
  it("have the same keys", () => expect(Object.keys(de).sort()).toEqual(Object.keys(en).sort()));

  it("fill in the same values, with plurals for the same keys", () => {
    for (const key of Object.keys(en) as (keyof typeof en)[]) {
      expect(typeof de[key], key).toBe(typeof en[key]);
      expect(names(de[key]), key).toEqual(names(en[key]));
      for (const text of [...forms(en[key]), ...forms(de[key])]) expect(text.trim(), key).not.toBe("");
    }
  });
});

describe("texts", () => {
  it("are filled in, and numbers are written as the reader does", () => {
    expect(fill("{n} of {name}, {other}", { n: 12_000, name: "A" })).toBe("12,000 of A, {other}");
  });

  it("keep their order around names that are written from right to left", () => {
    expect(fill("{section}, row {row}", { section: "לוז 2", row: "3" })).toBe("\u2068לוז 2\u2069, row 3");
    expect(fill("{section}, row {row}", { section: "Loge Süd", row: "3" })).toBe("Loge Süd, row 3");
  });

  it("are in the first language that there is", () => {
    expect([choose(["fr-FR", "de-AT", "en"]), choose(["fr"]), choose([]), choose(["EN-us"])]).toEqual(["de", "en", "en", "en"]);
  });
});
