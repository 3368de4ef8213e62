// Pictures of the pages beside the sale: the API, the licences.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, test } from "vitest";
import { BoxOffice } from "./support/boxoffice.js";
import { inTab } from "./support/browser.js";
import { resources } from "./support/resources.js";

const folder = join(import.meta.dirname, "../../target/screenshots");
let boxOffice: BoxOffice;
beforeAll(async () => {
  mkdirSync(folder, { recursive: true });
  boxOffice = await BoxOffice.start(resources);
});
afterAll(() => boxOffice?.stop());

test.each(["light", "dark"] as const)("docs and licences in %s", async (scheme) => {
  await inTab(boxOffice.url, "/docs", { scheme, height: 1000 }, async (page) => {
    const operation = page.locator(".opblock-post").first();
    await operation.locator(".opblock-summary-control").click();
    await operation.locator(".responses-inner").waitFor();
    await page.screenshot({ path: join(folder, `docs-${scheme}.png`) });
    await page.goto(`${boxOffice.url}/licenses`);
    await page.getByText("swagger-ui-dist").click();
    await page.screenshot({ path: join(folder, `licenses-${scheme}.png`) });
  });
});
