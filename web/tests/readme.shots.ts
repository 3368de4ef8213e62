// The two pictures of README: a stadium that is selling, on a desktop, and a cart on a phone. Small: they are checked in.
import { mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { BoxOffice } from "./support/boxoffice.js";
import { inTab } from "./support/browser.js";
import { sellMany } from "./support/crowd.js";

const root = join(import.meta.dirname, "../..");
const folder = join(root, "docs/images");
/** Largest that a picture may be, in bytes. */
const LARGEST = 150_000;

/** The resources that `make run` sells. */
const examples = readdirSync(join(root, "examples"))
  .filter((name) => name.endsWith(".yaml"))
  .map((name) => readFileSync(join(root, "examples", name), "utf8"))
  .join("\n---\n");

let boxOffice: BoxOffice;
beforeAll(async () => {
  mkdirSync(folder, { recursive: true });
  boxOffice = await BoxOffice.start(examples);
  await sellMany(boxOffice, "stadium-final", 0.3);
  await sellMany(boxOffice, "theatre", 0.5);
});
afterAll(() => boxOffice?.stop());

test("the stadium on a desktop", async () => {
  const look = { width: 1220, height: 680 };
  await inTab(boxOffice.url, "/?event=stadium-final", look, async (page) => {
    await page.locator("canvas").first().waitFor();
    await page.getByRole("button", { name: "Find 2 seats" }).click();
    await page.getByRole("textbox", { name: "Your name" }).fill("alice");
    await page.getByRole("button", { name: "Continue" }).click();
    await page.getByRole("button", { name: "Reserve now" }).waitFor();
    await page.getByRole("timer").first().getByText(/^4:5\d$/).waitFor();
    const path = join(folder, "stadium.png");
    await page.screenshot({ path });
    expect(statSync(path).size).toBeLessThan(LARGEST);
  });
});

test("a cart on a phone", async () => {
  const look = { width: 390, height: 780, touch: true, scale: 1.5 };
  await inTab(boxOffice.url, "/?event=theatre", look, async (page) => {
    await page.locator("canvas").first().waitFor();
    await page.getByRole("button", { expanded: false }).filter({ has: page.locator(".grip") }).click();
    await page.getByRole("button", { name: "Find 2 seats" }).click();
    await page.getByRole("textbox", { name: "Your name" }).fill("alice");
    await page.getByRole("button", { name: "Continue" }).click();
    await page.getByRole("button", { name: "Reserve now" }).waitFor();
    await page.getByRole("timer").first().getByText(/^9:5\d$/).waitFor();
    const path = join(folder, "checkout.png");
    await page.screenshot({ path });
    expect(statSync(path).size).toBeLessThan(LARGEST);
  });
});
