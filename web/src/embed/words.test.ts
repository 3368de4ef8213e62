// What the embedded map says is there in both languages, in whatever way a page names its own.
import { expect, it } from "vitest";
import { languageOf } from "../intl";
import { moneyOf, wordsFor } from "../map/words";
import { embedWordsFor } from "./words";

/** Names of all that is said, those of problems too. */
const names = (words: object): string[] =>
  Object.entries(words).flatMap(([name, said]) => (typeof said === "object" ? [name, ...Object.keys(said as object).map((one) => `${name}.${one}`)] : [name])).sort();

it("is all there in German", () => {
  expect(names(embedWordsFor("de"))).toEqual(names(embedWordsFor("en")));
  expect(names(wordsFor("de"))).toEqual(names(wordsFor("en")));
});

it("is in a language that the browser takes", () => {
  expect(["de-AT", "en_US", " fr ", "not a language", ""].map(languageOf)).toEqual(["de-AT", "en-US", "fr", "en", "en"]);
  expect(moneyOf(12_000, "JPY", languageOf("en_US"))).toBe("¥12,000");
  expect(moneyOf(1_500, "KWD", "en").replace(/\s/g, " ")).toBe("KWD 1.500");
});
