// Pictures of the operators' page.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, test } from "vitest";
import { BoxOffice } from "./support/boxoffice.js";
import { inTab } from "./support/browser.js";
import { crowd } from "./support/crowd.js";
import { resources } from "./support/resources.js";

const folder = join(import.meta.dirname, "../../target/screenshots");
let boxOffice: BoxOffice;
beforeAll(async () => {
  mkdirSync(folder, { recursive: true });
  boxOffice = await BoxOffice.start(resources);
  await crowd(boxOffice, "hall", ["STALLS", "CIRCLE", "FLOOR"], 24);
  await boxOffice.call("POST", "/seats/hall.STALLS-A-1/hold", "decline-joe").catch(() => undefined);
});
afterAll(() => boxOffice?.stop());

test.each([
  ["ops-desktop", { width: 1440, height: 1500 }],
  ["ops-dark", { width: 1440, height: 1500, scheme: "dark", language: "de" }],
  ["ops-phone", { width: 360, height: 2800 }],
] as const)("%s", async (name, look) => {
  await inTab(boxOffice.url, "/ops#event=hall", look, async (page) => {
    await page.getByRole("button", { name: /^(Trace|Verlauf) / }).first().click();
    await page.getByText("payment.completed").first().waitFor();
    await page.screenshot({ path: join(folder, `${name}.png`) });
  });
});
