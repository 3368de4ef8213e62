// What has to hold wherever the page is: in one process, and behind a gateway of a cluster (`npm run e2e:cluster`).
import type { Locator, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { office } from "./support/anywhere.js";
import { inTab } from "./support/browser.js";
import { Buyer } from "./support/buyer.js";
import type { Office } from "./support/office.js";
import { until } from "./support/wait.js";

let boxOffice: Office;
let hall = "";
let quick = "";
beforeAll(async () => {
  boxOffice = await office(["hall", "quick"]);
  [hall, quick] = [boxOffice.idOf("hall"), boxOffice.idOf("quick")];
}, 300_000);
afterAll(() => boxOffice?.stop());

/** Presses Tab until an element has the focus, as somebody who listens does. */
async function tabTo(page: Page, element: Locator): Promise<void> {
  await element.waitFor();
  for (let presses = 0; presses < 80; presses++) {
    if (await element.evaluate((it) => it === document.activeElement)) return;
    await page.keyboard.press("Tab");
  }
  throw new Error(`Tab does not lead to ${String(element)}`);
}

test("by keyboard alone", async () => {
  await inTab(boxOffice.url, "/", { user: "kim" }, async (page) => {
    const press = (key: string) => page.keyboard.press(key);
    await tabTo(page, page.locator(`a[href$="event=${hall}"]`).first());
    await press("Enter");
    await tabTo(page, page.getByRole("button", { name: "List", exact: true }));
    await press("Enter");
    await tabTo(page, page.getByRole("button", { name: /^Circle/ }));
    await press("Enter");
    const buyer = new Buyer(page, "kim");
    await tabTo(page, buyer.seat("A", 1));
    await press("ArrowRight");
    await press("ArrowDown");
    await press("Enter");
    if (await buyer.isAsked("B", 2)) {
      await tabTo(page, page.getByRole("textbox", { name: "Your name" }));
      await page.keyboard.type(buyer.name);
      await press("Enter");
    }
    await buyer.seat("B", 2, "in your cart").waitFor();
    await tabTo(page, page.getByRole("button", { name: "Reserve now" }));
    await press("Enter");
    await page.getByRole("heading", { name: "The seats are yours" }).waitFor();
    expect(await boxOffice.status(`${hall}.CIRCLE-B-2`)).toBe("RESERVED");
  });
});

test("two buyers want the same seat: one has it, the other is offered another", async () => {
  const open = async (page: Page, name: string) => {
    const buyer = new Buyer(page, name);
    await buyer.openSection("Stalls");
    // Who one is, is asked with the first seat; the race is about the second.
    await buyer.take("B", name === "ada" ? 1 : 10);
    await buyer.seat("B", name === "ada" ? 1 : 10, "in your cart").waitFor();
    return buyer;
  };
  await inTab(boxOffice.url, `/?event=${hall}`, { user: "ada" }, async (one) => {
    await inTab(boxOffice.url, `/?event=${hall}`, { user: "bob" }, async (other) => {
      const buyers = [await open(one, "ada"), await open(other, "bob")];
      // Neither may see in time what the other does: both have asked before anybody is answered.
      let asked = 0;
      let go = () => {};
      const both = new Promise<void>((resolve) => (go = resolve));
      for (const { page } of buyers) {
        await page.route("**/holds/*/seats", async (route) => {
          if (++asked === buyers.length) go();
          await both;
          await route.continue();
        });
      }
      await Promise.all(buyers.map((buyer) => buyer.seat("B", 5).click()));
      const has = async (buyer: Buyer) => ({
        won: await buyer.seat("B", 5, "in your cart").isVisible(),
        lost: await buyer.page.getByText("This seat has just gone").isVisible(),
      });
      const ends = await until("one wins and one loses", async () => {
        const all = await Promise.all(buyers.map(has));
        return all.every(({ won, lost }) => won !== lost) ? all : undefined;
      });
      expect(ends.filter(({ won }) => won)).toHaveLength(1);
      const loser = buyers[ends.findIndex(({ lost }) => lost)];
      await loser?.page.getByRole("button", { name: "Take this seat instead" }).click();
      await loser?.page.getByRole("button", { name: /^Give back Stalls, row B, seat (4|6)$/ }).waitFor();
    });
  });
});

test("a hold runs out: its buyer is told what to do, everybody else sees the seat come back", async () => {
  await inTab(boxOffice.url, `/?event=${quick}`, { user: "slow-sam" }, async (page) => {
    await inTab(boxOffice.url, `/?event=${quick}`, { user: "eve" }, async (elsewhere) => {
      const buyer = new Buyer(page, "slow-sam");
      const watcher = new Buyer(elsewhere, "eve");
      await watcher.openSection("Stalls");
      await buyer.openSection("Stalls");
      await buyer.take("C", 3);
      await watcher.seat("C", 3, "held by somebody").waitFor();
      await page.getByText("Your time is up", { exact: true }).waitFor();
      await watcher.seat("C", 3, "available").waitFor();
      await page.getByRole("button", { name: "Hold the same seats again" }).click();
      await buyer.seat("C", 3, "in your cart").waitFor();
    });
  });
});

test("a reload in the middle of a hold: the cart is as it was, and grows", async () => {
  await inTab(boxOffice.url, `/?event=${hall}`, { user: "rae" }, async (page) => {
    const buyer = new Buyer(page, "rae");
    await buyer.openSection("Stalls");
    await buyer.take("D", 4);
    await buyer.seat("D", 4, "in your cart").waitFor();
    await page.reload();
    await page.getByRole("button", { name: "Give back Stalls, row D, seat 4" }).waitFor();
    await buyer.openSection("Stalls");
    await buyer.take("D", 5);
    await buyer.seat("D", 5, "in your cart").waitFor();
    await buyer.reserve();
    await page.getByRole("heading", { name: "The seats are yours" }).waitFor();
    expect(await boxOffice.status(`${hall}.STALLS-D-4`)).toBe("RESERVED");
  });
});

test("offline and back: what happened in between is shown", async () => {
  await inTab(boxOffice.url, `/?event=${hall}`, { user: "uma" }, async (page, tab) => {
    const buyer = new Buyer(page, "uma");
    await buyer.openSection("Stalls");
    await buyer.seat("C", 7, "available").waitFor();
    await tab.context.setOffline(true);
    await boxOffice.call("POST", `/seats/${hall}.STALLS-C-7/hold`, "other");
    await tab.context.setOffline(false);
    await buyer.seat("C", 7, "held by somebody").waitFor();
  });
});
