// What is not the buyer's doing: the process goes away and comes back.
import { afterAll, beforeAll, test } from "vitest";
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
    await page.getByText(/Trying again/).first().waitFor();
    await boxOffice.begin();
    await page.getByRole("heading", { name: "The seats are yours" }).waitFor({ timeout: 20_000 });
    await boxOffice.reaches("hall.STALLS-B-1", "RESERVED");
  });
});
