// A picture of every state of the page that a buyer can meet, wide and narrow, light and dark: target/screenshots.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, test } from "vitest";
import { BoxOffice } from "./support/boxoffice.js";
import { inTab } from "./support/browser.js";
import { crowd } from "./support/crowd.js";
import { resources } from "./support/resources.js";
import { states } from "./support/states.js";

const folder = join(import.meta.dirname, "../../target/screenshots");
let boxOffice: BoxOffice;
beforeAll(async () => {
  mkdirSync(folder, { recursive: true });
  boxOffice = await BoxOffice.start(resources);
  await crowd(boxOffice, "hall", ["CIRCLE", "FLOOR"], 8);
  const held = await boxOffice.call<{ holdId: string }>("POST", "/events/last-seat/holds", "first", {
    seats: ["last-seat.BOX-1-1"],
  });
  await boxOffice.call("POST", `/holds/${held.holdId}/reserve`, "first");
});
afterAll(() => boxOffice?.stop());

test.each([
  { name: "wide", language: "en", width: 1280, height: 800 },
  { name: "phone", language: "de", width: 360, height: 740, touch: true },
] as const)("$name", { timeout: 90_000 }, async ({ name, ...look }) => {
  await inTab(boxOffice.url, "/", look, async (page) => {
    for (const [index, state] of states(name).entries()) {
      await state.reach(page, boxOffice);
      for (const colorScheme of ["light", "dark"] as const) {
        await page.emulateMedia({ colorScheme });
        const file = `${name}-${String(index).padStart(2, "0")}-${state.name.replaceAll(" ", "-")}-${colorScheme}.png`;
        await page.screenshot({ path: join(folder, file) });
      }
      await page.emulateMedia({ colorScheme: "light" });
    }
  });
});
