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
  { name: "German, 320 px", language: "de", width: 320, height: 740, touch: true },
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

test.each([
  { name: "text twice as large, 360 px", width: 360, height: 740, size: "200%" },
  { name: "a phone on its side", width: 740, height: 360, size: "100%" },
])("$name: nothing sticks out, and the map has room", async ({ width, height, size }) => {
  await inTab(boxOffice.url, "/", { width, height, touch: true }, async (page) => {
    const wrong: string[] = [];
    for (const path of ["/", "/?tickets", "/?event=later", "/?event=hall"]) {
      await page.goto(`${boxOffice.url}${path}`);
      await page.evaluate((size) => document.documentElement.style.setProperty("font-size", size), size);
      await page.getByRole("heading", { level: 1 }).first().waitFor();
      wrong.push(...(await overflow(page)).slice(0, 1).map((html) => `${path}: sticks out: ${html}`));
    }
    expect(wrong).toEqual([]);
    await page.getByText(/\d left$/).first().waitFor();
    const map = await page.locator("canvas").first().boundingBox();
    expect(map?.height ?? 0).toBeGreaterThan(72);
  });
});
