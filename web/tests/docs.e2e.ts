// /docs: every operation can be opened and tried under the policy that docs.html states, and nothing is asked elsewhere.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Locator, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { findings, findingsInBoth } from "./support/axe.js";
import { BoxOffice } from "./support/boxoffice.js";
import { inTab } from "./support/browser.js";
import { docsPolicy } from "./support/front.js";
import { resources } from "./support/resources.js";

let boxOffice: BoxOffice;
beforeAll(async () => {
  boxOffice = await BoxOffice.start(resources);
});
afterAll(() => boxOffice?.stop());

function operation(page: Page, method: string, path: string): Locator {
  return page.locator(`.opblock-${method}`).filter({ has: page.locator(`[data-path="${path}"]`) });
}

test("docs.html states the policy that it is tested under", () => {
  const page = readFileSync(join(import.meta.dirname, "../docs.html"), "utf8");
  expect(page.replace(/\s+/g, " ")).toContain(docsPolicy);
});

test("no findings in an operation that is open, in light and dark", async () => {
  await inTab(boxOffice.url, "/docs", {}, async (page) => {
    // A body with examples, answers with headers, parameters: what an operation can show.
    const open = operation(page, "post", "/holds/{holdId}/extend");
    await open.locator(".opblock-summary-control").click();
    await open.locator(".responses-inner").waitFor();
    // An example that is sent twice would be refused the second time.
    expect(await open.getByRole("textbox", { name: "Idempotency-Key" }).inputValue()).toBe("");
    expect(await findingsInBoth(page, { within: ".opblock.is-open" })).toEqual([]);
    expect(await findingsInBoth(page, { within: ".information-container, .scheme-container" })).toEqual([]);
  });
});

test("a request is sent and its answer shown", async () => {
  await inTab(boxOffice.url, "/docs", {}, async (page) => {
    const events = operation(page, "get", "/events");
    await events.locator(".opblock-summary-control").click();
    await events.getByRole("button", { name: "Execute" }).click();
    const answer = events.locator(".live-responses-table");
    await answer.getByText("An Evening at the Hall").first().waitFor();
    await answer.locator(".response-col_status").getByText("200", { exact: true }).waitFor();
  });
});

test("licences are listed", async () => {
  await inTab(boxOffice.url, "/licenses", {}, async (page) => {
    await page.getByText("swagger-ui-dist").click();
    await page.getByText("TERMS AND CONDITIONS FOR USE").first().waitFor();
    expect(await findings(page)).toEqual([]);
  });
});
