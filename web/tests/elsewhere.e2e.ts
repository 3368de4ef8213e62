// The page at one origin, commands at another (spec.web.commandUrl), buyers known by tokens: what browsers ask before they send.
import { afterAll, beforeAll, expect, test } from "vitest";
import { BoxOffice } from "./support/boxoffice.js";
import { browser, inTab } from "./support/browser.js";
import { Buyer } from "./support/buyer.js";
import { Elsewhere } from "./support/elsewhere.js";
import { Issuer } from "./support/issuer.js";
import { resourcesOf } from "./support/resources.js";

let issuer: Issuer;
let commands: Elsewhere;
let boxOffice: BoxOffice;
beforeAll(async () => {
  issuer = await Issuer.open();
  commands = await Elsewhere.open();
  const known = (page: string) => ({ auth: issuer.auth, web: `{commandUrl: "${commands.url}", allowOrigins: ["${page}"]}` });
  boxOffice = await BoxOffice.start((page) => resourcesOf(known(page)), [], commands.url);
  commands.leadsTo(boxOffice.backend);
});
afterAll(async () => {
  await boxOffice?.stop();
  await commands?.close();
  await issuer?.close();
});

test("a token in the address buys: every command goes to the other origin, with a key of its own, and nothing names a user", async () => {
  await inTab(boxOffice.url, `/?event=hall#token=${issuer.token("nora")}`, { mayAsk: commands.url }, async (page) => {
    const changes: string[] = [];
    page.on("request", (request) => {
      if (request.method() !== "GET") changes.push(new URL(request.url()).origin);
    });
    const buyer = new Buyer(page, "nora");
    await buyer.openSection("Stalls");
    expect(page.url()).not.toContain("token");
    await buyer.take("A", 3);
    await buyer.seat("A", 3, "in your cart").waitFor();
    await buyer.take("A", 4);
    await buyer.seat("A", 4, "in your cart").waitFor();
    await buyer.reserve();
    await page.getByRole("heading", { name: "The seats are yours" }).waitFor();
    await boxOffice.reaches("hall.STALLS-A-4", "RESERVED");
    await page.getByRole("link", { name: "See and print tickets" }).click();
    await page.getByRole("img", { name: "QR code for the door: Stalls, row A, seat 4" }).waitFor();
    expect(new Set(changes)).toEqual(new Set([commands.url]));
  });
  const preflights = commands.asked.filter(({ method }) => method === "OPTIONS");
  const wished = preflights.map(({ headers }) => headers["access-control-request-headers"]?.split(",").sort().join());
  expect(wished).toContain("authorization,content-type,idempotency-key");
  const posts = commands.asked.filter(({ method }) => method === "POST");
  expect(posts.length).toBeGreaterThanOrEqual(3);
  for (const { headers } of posts) {
    expect(headers).toMatchObject({ origin: boxOffice.url, authorization: expect.stringMatching(/^Bearer /) });
    expect(headers).not.toHaveProperty("x-user-id");
  }
  const keys = posts.map(({ headers }) => headers["idempotency-key"]);
  expect(new Set(keys).size).toBe(posts.length);
});

test("a token that somebody else signed takes nothing; the buyer is asked again, and a good one goes on with the same seat", async () => {
  const stranger = await Issuer.open();
  const forged = stranger.token("mallory");
  await stranger.close();
  await inTab(boxOffice.url, `/?event=hall#token=${forged}`, { mayAsk: commands.url }, async (page) => {
    const buyer = new Buyer(page, "olga");
    await buyer.openSection("Stalls");
    await buyer.seat("B", 2).click();
    const field = page.getByRole("dialog").getByRole("textbox");
    await field.waitFor();
    expect(await boxOffice.status("hall.STALLS-B-2")).toBe("AVAILABLE");
    await field.fill(issuer.token(buyer.name));
    await page.getByRole("button", { name: "Continue" }).click();
    await buyer.seat("B", 2, "in your cart").waitFor();
  });
});

test("a page that the service does not name can neither read an answer nor have a command done", async () => {
  const context = await (await browser()).newContext();
  try {
    const page = await context.newPage();
    // Some other page of this machine.
    await page.goto(issuer.url);
    const seat = "hall.STALLS-C-1";
    const answers = await page.evaluate(
      async ([url, seat, token]) => {
        const ask = (path: string, init?: RequestInit) => fetch(url + path, init).then(({ status }) => status, String);
        const headers = { authorization: `Bearer ${token}` };
        return [
          await ask("/events"),
          await ask(`/seats/${seat}/hold`, { method: "POST", headers }),
          // What a form may send asks nobody before.
          await ask(`/seats/${seat}/hold`, { method: "POST", mode: "no-cors" }),
        ];
      },
      [commands.url, seat, issuer.token("eve")] as const,
    );
    expect(answers).toEqual(["TypeError: Failed to fetch", "TypeError: Failed to fetch", 0]);
    expect(await boxOffice.status(seat)).toBe("AVAILABLE");
  } finally {
    await context.close();
  }
});
