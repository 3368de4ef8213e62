// Every state of the page that a buyer can meet, in light and dark, both languages, wide and narrow: no serious finding of
// axe-core, nothing that sticks out of a phone's window, and nothing that the policy refuses.
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { findingsInBoth, overflow } from "./support/axe.js";
import { BoxOffice } from "./support/boxoffice.js";
import { inTab, type Look } from "./support/browser.js";
import { resources } from "./support/resources.js";
import { states } from "./support/states.js";

let boxOffice: BoxOffice;
beforeAll(async () => {
  boxOffice = await BoxOffice.start(resources);
  const held = await boxOffice.call<{ holdId: string }>("POST", "/events/last-seat/holds", "first", {
    seats: ["last-seat.BOX-1-1"],
  });
  await boxOffice.call("POST", `/holds/${held.holdId}/reserve`, "first");
});
afterAll(() => boxOffice?.stop());

async function look(page: Page): Promise<string[]> {
  const stickOut = await overflow(page);
  return [...(await findingsInBoth(page)), ...stickOut.slice(0, 1).map((html) => `sticks out: ${html}`)];
}

const looks: readonly (Look & { name: string })[] = [
  { name: "English, wide", language: "en" },
  { name: "German, 360 px", language: "de", width: 360, height: 740, touch: true },
];

test.each(looks)("$name", { timeout: 120_000 }, async ({ name, ...how }) => {
  await inTab(boxOffice.url, "/", how, async (page) => {
    const wrong: string[] = [];
    for (const state of states(name)) {
      await state.reach(page, boxOffice);
      wrong.push(...(await look(page)).map((what) => `${state.name}: ${what}`));
    }
    expect(wrong).toEqual([]);
  });
});
