// Buying: from the list of shows to the ticket by names alone, by pointer, and what comes in between.
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

test("two tabs of one buyer: what is reserved in one is the buyer's own in the other, and not lost", async () => {
  await inTab(boxOffice.url, "/?event=hall", {}, async (page, { context }) => {
    const buyer = new Buyer(page, "twain");
    await buyer.openSection("Circle");
    await buyer.take("A", 1);
    await buyer.seat("A", 1, "in your cart").waitFor();
    const other = await context.newPage();
    await other.goto(`${boxOffice.url}/?event=hall`);
    const same = new Buyer(other, "twain");
    await same.openSection("Circle");
    await same.take("A", 2);
    await other.getByRole("button", { name: "Give back Circle, row A, seat 1" }).waitFor();
    await same.reserve();
    await other.getByRole("heading", { name: "The seats are yours" }).waitFor();
    await page.getByText(/^You have reserved Circle, row A, .* in another tab\.$/).first().waitFor();
    await buyer.seat("A", 1, "yours").waitFor();
    expect(await page.getByText("Your time is up").count()).toBe(0);
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
