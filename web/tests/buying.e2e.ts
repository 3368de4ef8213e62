// Buying: from the list of shows to the ticket, by names alone and by keyboard alone, and what comes in between.
import type { Locator, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { OwnReservation } from "../src/commands/types.js";
import { BoxOffice } from "./support/boxoffice.js";
import { inTab } from "./support/browser.js";
import { Buyer } from "./support/buyer.js";
import { resources } from "./support/resources.js";
import { until } from "./support/wait.js";

let boxOffice: BoxOffice;
beforeAll(async () => {
  boxOffice = await BoxOffice.start(resources);
});
afterAll(() => boxOffice?.stop());

const HALL = "An Evening at the Hall";

/** Presses Tab until an element has the focus, as somebody who listens does. */
async function tabTo(page: Page, element: Locator): Promise<void> {
  await element.waitFor();
  for (let presses = 0; presses < 80; presses++) {
    if (await element.evaluate((it) => it === document.activeElement)) return;
    await page.keyboard.press("Tab");
  }
  throw new Error(`Tab does not lead to ${String(element)}`);
}

test("from the list to the ticket, by accessible names alone", async () => {
  await inTab(boxOffice.url, "/", {}, async (page) => {
    const buyer = new Buyer(page, "nora");
    await buyer.openShow(HALL);
    await buyer.openSection("Stalls");
    await buyer.take("A", 3);
    await buyer.seat("A", 3, "in your cart").waitFor();
    await buyer.take("A", 4);
    await buyer.seat("A", 4, "in your cart").waitFor();
    expect(await boxOffice.status("hall.STALLS-A-3")).toBe("HELD");
    await page.getByRole("timer").first().waitFor();
    await buyer.reserve();
    await page.getByRole("heading", { name: "The seats are yours" }).waitFor();
    await page.getByRole("main").getByText("Paid", { exact: true }).waitFor();
    expect(await boxOffice.status("hall.STALLS-A-4")).toBe("RESERVED");
    await page.getByRole("link", { name: "See and print tickets" }).click();
    await page.getByRole("heading", { name: "Your tickets" }).waitFor();
    await page.getByRole("main").getByText("€150.00").first().waitFor();

    const code = page.getByRole("img", { name: "QR code for the door: Stalls, row A, seat 3" });
    const said = await code.getAttribute("data-code");
    const [reservationId = "", seat] = said?.split("/") ?? [];
    const { eventId, seats } = await boxOffice.call<OwnReservation>("GET", `/reservations/${reservationId}`, "nora");
    expect(seats.map(({ seatId }) => seatId)).toContain(`${eventId}.${seat}`);
    await page.emulateMedia({ colorScheme: "dark" });
    expect(await code.locator("rect").evaluate((it) => getComputedStyle(it).fill)).toBe("rgb(255, 255, 255)");
    await page.emulateMedia({ media: "print" });
    expect(await code.isVisible()).toBe(true);
  });
});

test("by keyboard alone", async () => {
  await inTab(boxOffice.url, `/`, {}, async (page) => {
    const press = (key: string) => page.keyboard.press(key);
    await tabTo(page, page.getByRole("link", { name: HALL }).first());
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
    await tabTo(page, page.getByRole("textbox", { name: "Your name" }));
    await page.keyboard.type(buyer.name);
    await press("Enter");
    await buyer.seat("B", 2, "in your cart").waitFor();
    await tabTo(page, page.getByRole("button", { name: "Reserve now" }));
    await press("Enter");
    await page.getByRole("heading", { name: "The seats are yours" }).waitFor();
    expect(await boxOffice.status("hall.CIRCLE-B-2")).toBe("RESERVED");
  });
});

test("by pointer on the map: a seat, and places of an area", async () => {
  await inTab(boxOffice.url, "/?event=hall", {}, async (page) => {
    const map = page.locator("canvas").first();
    // The map fits into its place: the stage is above, the stalls are in the upper half, the area is below, all in the middle.
    const click = async (down: number) => {
      const box = await map.boundingBox();
      if (box === null) throw new Error("the map is not shown");
      await page.mouse.click(box.x + box.width / 2, box.y + box.height * down);
    };
    await page.getByText(/^3\d left$/).first().waitFor();
    const given = page.getByRole("button", { name: /^Give back Stalls, row/ });
    const name = page.getByRole("textbox", { name: "Your name" });
    await click(0.34);
    await name.fill("mia");
    await page.getByRole("button", { name: "Continue" }).click();
    await given.waitFor();
    await click(0.86);
    await page.getByRole("dialog").getByRole("button", { name: /^Add \d places?/ }).click();
    await page.getByRole("button", { name: /^Give back Standing/ }).waitFor();
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
  await inTab(boxOffice.url, "/?event=hall", {}, async (one) => {
    await inTab(boxOffice.url, "/?event=hall", {}, async (other) => {
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
  await inTab(boxOffice.url, "/?event=quick", {}, async (page) => {
    await inTab(boxOffice.url, "/?event=quick", {}, async (elsewhere) => {
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

test("a payment is declined: the buyer is told, and the seat is free again", async () => {
  await inTab(boxOffice.url, "/?event=hall", {}, async (page) => {
    const buyer = new Buyer(page, "decline-dora");
    await buyer.openSection("Stalls");
    await buyer.take("D", 1);
    await buyer.seat("D", 1, "in your cart").waitFor();
    await buyer.reserve();
    await page.getByRole("heading", { name: "The payment did not go through" }).waitFor();
    await boxOffice.reaches("hall.STALLS-D-1", "AVAILABLE");
    await page.getByRole("button", { name: "Choose other seats" }).click();
    await buyer.openSection("Stalls");
    await buyer.seat("D", 1, "available").waitFor();
  });
});

test("the best seats side by side, places in an area, and one given back", async () => {
  await inTab(boxOffice.url, "/?event=hall", {}, async (page) => {
    const buyer = new Buyer(page, "max");
    await page.getByRole("button", { name: "Find 2 seats" }).click();
    await page.getByRole("textbox", { name: "Your name" }).fill(buyer.name);
    await page.getByRole("button", { name: "Continue" }).click();
    const given = page.getByRole("button", { name: /^Give back (Stalls|Circle), row/ });
    await until("two seats", async () => (await given.count()) === 2 || undefined);
    await page.getByRole("button", { name: "List", exact: true }).click();
    await page.getByRole("button", { name: /^Standing/ }).click();
    await page.getByRole("button", { name: /^Add \d places?/ }).click();
    await page.getByRole("button", { name: /^Give back Standing/ }).waitFor();
    await given.first().click();
    await until("one seat", async () => (await given.count()) === 1 || undefined);
  });
});
