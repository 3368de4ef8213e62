// What is not the buyer's doing: the process goes away and comes back, it is busy, a phone's clock is wrong.
import { afterAll, beforeAll, expect, test } from "vitest";
import { BoxOffice } from "./support/boxoffice.js";
import { inTab } from "./support/browser.js";
import { Buyer } from "./support/buyer.js";
import { resources } from "./support/resources.js";

let boxOffice: BoxOffice;
beforeAll(async () => {
  boxOffice = await BoxOffice.start(resources);
});
afterAll(() => boxOffice?.stop());

test("the worker goes away and comes back: the cart is still there, and can be reserved", async () => {
  await inTab(boxOffice.url, "/?event=hall", {}, async (page) => {
    const buyer = new Buyer(page, "rita");
    await buyer.openSection("Stalls");
    await buyer.take("A", 1);
    await buyer.seat("A", 1, "in your cart").waitFor();
    await boxOffice.crash();
    await page.getByText(/^Connection lost/).first().waitFor();
    await boxOffice.begin();
    await boxOffice.call("POST", "/seats/hall.STALLS-A-9/hold", "other");
    await buyer.seat("A", 9, "held by somebody").waitFor({ timeout: 20_000 });
    await buyer.reserve();
    await page.getByRole("heading", { name: "The seats are yours" }).waitFor();
  });
});

test("a reservation that is asked for while nobody answers is made once, as soon as somebody does", async () => {
  await inTab(boxOffice.url, "/?event=hall", {}, async (page) => {
    const buyer = new Buyer(page, "otto");
    await buyer.openSection("Stalls");
    await buyer.take("B", 1);
    await buyer.seat("B", 1, "in your cart").waitFor();
    await boxOffice.crash();
    await buyer.reserve();
    await page.getByText(/Trying again/).filter({ visible: true }).first().waitFor();
    await boxOffice.begin();
    await page.getByRole("heading", { name: "The seats are yours" }).waitFor({ timeout: 20_000 });
    await boxOffice.reaches("hall.STALLS-B-1", "RESERVED");
  });
});

test("the service is busy: that is told where a buyer with a phone sees it, and then the seat is held", async () => {
  await inTab(boxOffice.url, "/?event=hall", { width: 360, height: 740, touch: true }, async (page) => {
    const buyer = new Buyer(page, "bea");
    await buyer.openSection("Stalls");
    const busy = { code: "RECOVERING", detail: "the seats are being read back", retryable: true };
    let refusals = 2;
    await page.route("**/events/hall/holds", (route) => {
      if (refusals-- <= 0) return route.continue();
      return route.fulfill({ status: 503, headers: { "retry-after": "2" }, contentType: "application/problem+json", body: JSON.stringify(busy) });
    });
    await buyer.seat("C", 1).click();
    await page.getByRole("textbox", { name: "Your name" }).fill(buyer.name);
    await page.getByRole("button", { name: "Continue" }).click();
    await page.getByRole("button", { expanded: false }).getByText(/^Very many people are buying/).waitFor();
    await buyer.seat("C", 1, "in your cart").waitFor();
  });
});

test("on a phone whose clock is an hour slow, what is on sale can be had, and its time is the service's", async () => {
  await inTab(boxOffice.url, "/", {}, async (page) => {
    await page.addInitScript(() => {
      const { now } = Date;
      Date.now = () => now() - 3_600_000;
    });
    await page.route("**/events/hall", async (route) => {
      const response = await route.fetch();
      const show = (await response.json()) as { sales: object };
      await route.fulfill({ response, json: { ...show, sales: { ...show.sales, opensAt: Date.now() - 600_000 } } });
    });
    await page.goto(`${boxOffice.url}/?event=hall`);
    const buyer = new Buyer(page, "cleo");
    await buyer.openSection("Stalls");
    await buyer.take("C", 5);
    await buyer.seat("C", 5, "in your cart").waitFor();
    expect(await page.getByRole("timer").last().textContent()).toMatch(/^(5:00|4:5\d)$/);
  });
});
