// The operators' page: what staff do, what it shows of it, and that it is readable for everybody.
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { findingsInBoth, overflow } from "./support/axe.js";
import { BoxOffice } from "./support/boxoffice.js";
import { inTab } from "./support/browser.js";
import { crowd } from "./support/crowd.js";
import { resources } from "./support/resources.js";

let boxOffice: BoxOffice;
beforeAll(async () => {
  boxOffice = await BoxOffice.start(resources);
  await crowd(boxOffice, "hall", ["CIRCLE"], 6);
});
afterAll(() => boxOffice?.stop());

/** Chooses seats by their names, as one does with a list in hand. */
async function choose(page: Page, seats: string): Promise<void> {
  await page.getByRole("textbox", { name: /seats, such as/i }).fill(seats);
  await page.getByRole("button", { name: "Add" }).click();
}

async function act(page: Page, action: string, field?: string, text?: string): Promise<void> {
  await page.getByRole("button", { name: action, exact: true }).click();
  const dialog = page.getByRole("dialog");
  if (field !== undefined) await dialog.getByRole("textbox", { name: field }).fill(text ?? "");
  await dialog.getByRole("button", { name: action, exact: true }).click();
  await dialog.waitFor({ state: "hidden" });
}

test("staff hold for somebody, sell it at the counter, and cancel it with a note", async () => {
  await inTab(boxOffice.url, "/ops#event=hall", {}, async (page) => {
    await choose(page, "STALLS-A-1 STALLS-A-2");
    await act(page, "Hold for somebody", "For whom", "walter");
    await page.getByText(/^Held for walter until/).waitFor();
    expect(await boxOffice.status("hall.STALLS-A-1")).toBe("HELD");

    await choose(page, "STALLS-A-1");
    await act(page, "Sell at the counter");
    await page.getByText("Sold: €150.00.").waitFor();
    await boxOffice.reaches("hall.STALLS-A-2", "RESERVED");

    await choose(page, "STALLS-A-2");
    await page.getByRole("button", { name: "Cancel reservation" }).waitFor();
    await act(page, "Cancel reservation", "Note", "was ill");
    await page.getByText("Cancelled, 2 seats free again.").waitFor();
    await boxOffice.reaches("hall.STALLS-A-1", "AVAILABLE");
  });
});

test("staff block and unblock, and take back the hold of a buyer who was there before the page", async () => {
  await boxOffice.call("POST", "/events/hall/holds", "early", { seats: ["hall.STALLS-B-1", "hall.STALLS-B-2"] });
  await inTab(boxOffice.url, "/ops#event=hall", {}, async (page) => {
    await choose(page, "STALLS-C-1, STALLS-C-2");
    await act(page, "Block", "Reason", "camera");
    await page.getByText("2 seats blocked.").waitFor();
    expect(await boxOffice.status("hall.STALLS-C-2")).toBe("BLOCKED");
    await choose(page, "STALLS-C-2");
    await act(page, "Unblock");
    await boxOffice.reaches("hall.STALLS-C-2", "AVAILABLE");

    await choose(page, "STALLS-B-2");
    await act(page, "Release", "Note", "no show");
    await page.getByText("2 seats released.").waitFor();
    await boxOffice.reaches("hall.STALLS-B-1", "AVAILABLE");
  });
});

test("seats are chosen by clicking them on the map, and let go by another click", async () => {
  await inTab(boxOffice.url, "/ops#event=hall", {}, async (page) => {
    const map = page.locator("canvas").first();
    await page.getByText("Choose seats on the map", { exact: false }).waitFor();
    await page.getByText(/^\d+ left$/).first().waitFor();
    // The stalls are in the middle, in the upper half of the map.
    const box = await map.boundingBox();
    if (box === null) throw new Error("the map is not shown");
    const click = () => page.mouse.click(box.x + box.width / 2, box.y + box.height * 0.34);
    await click();
    await page.getByText("1 seat chosen").waitFor();
    await page.getByRole("button", { name: /^Leave out Stalls, row [A-D], seat [56]$/ }).waitFor();
    await click();
    await page.getByText("1 seat chosen").waitFor({ state: "hidden" });
  });
});

test("what is in the way is told in the question itself", async () => {
  await inTab(boxOffice.url, "/ops#event=hall", {}, async (page) => {
    await choose(page, "STALLS-D-1");
    await page.getByRole("button", { name: "Hold for somebody" }).click();
    await boxOffice.call("POST", "/seats/hall.STALLS-D-1/hold", "quicker");
    await page.getByRole("dialog").getByRole("textbox", { name: "For whom" }).fill("walter");
    await page.getByRole("dialog").getByRole("button", { name: "Hold for somebody" }).click();
    await page.getByRole("alert").getByText(/Stalls, row D, seat 1 \(HELD\)/).waitFor();
    await page.getByRole("button", { name: "Back" }).click();
    await page.getByRole("dialog").waitFor({ state: "hidden" });
  });
});

test("an order appears by itself, with what came of it as a tree", async () => {
  await inTab(boxOffice.url, "/ops#event=hall", {}, async (page) => {
    await page.getByRole("region", { name: "Orders" }).last().getByText("buyer-").first().waitFor();
    const held = await boxOffice.call<{ holdId: string }>("POST", "/events/hall/holds", "decline-dora", {
      areas: [{ sectionId: "FLOOR", quantity: 2 }],
    });
    await boxOffice.call("POST", `/holds/${held.holdId}/reserve`, "decline-dora");
    const row = page.getByRole("row").filter({ hasText: "decline-dora" });
    await row.getByText("declined").waitFor();
    await row.getByRole("button").click();
    const tree = page.getByRole("group", { name: /What came of/ });
    await tree.getByText("payment.failed").waitFor();
    await tree.getByText("reservation.cancelled").waitFor();
    await page.getByRole("region", { name: "Payments" }).last().getByText("declined").waitFor();
  });
});

test.each([
  ["en", 1280],
  ["de", 360],
] as const)("no findings in %s, nothing wider than %i, in light and dark", async (language, width) => {
  await inTab(boxOffice.url, "/ops#event=hall", { language, width }, async (page) => {
    await page.getByText(/up to date|aktuell/).first().waitFor();
    await page.getByRole("textbox", { name: /such as|etwa/ }).fill("STALLS-A-5");
    await page.getByRole("button", { name: /^(Add|Dazu)$/ }).click();
    await page.getByRole("button", { name: /^(Trace|Verlauf) / }).first().click();
    await page.getByText(/payment\.(completed|failed)/).first().waitFor();
    expect(await findingsInBoth(page)).toEqual([]);
    expect(await overflow(page)).toEqual([]);
    await page.getByRole("button", { name: /^(Block|Sperren)$/ }).click();
    await page.getByRole("dialog").waitFor();
    expect(await findingsInBoth(page)).toEqual([]);
  });
});

test("the key in the address is taken, sent and no longer shown; without one it is asked for", async () => {
  const locked = await BoxOffice.start(resources, ["--admin-token", "open-sesame"]);
  try {
    await inTab(locked.url, "/ops#key=open-sesame&event=paused", {}, async (page) => {
      await page.getByText(/up to date/).first().waitFor();
      expect(page.url()).toBe(`${locked.url}/ops#event=paused`);
      expect(await page.getByRole("combobox", { name: "Show" }).inputValue()).toBe("paused");
    });
    await inTab(locked.url, "/ops", {}, async (page) => {
      const key = page.getByLabel("Operator key");
      await key.fill("guess");
      await page.getByRole("button", { name: "Enter" }).click();
      await page.getByText("That key is not the right one.").waitFor();
      await key.fill("open-sesame");
      await page.getByRole("button", { name: "Enter" }).click();
      await page.getByText(/up to date/).first().waitFor();
    });
  } finally {
    await locked.stop();
  }
});
