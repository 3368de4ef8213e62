// The map on a page of somebody else: the script from the shop, everything else by the origins that the service names, a token.
import { createServer, type Server } from "node:http";
import { afterAll, beforeAll, expect, test } from "vitest";
import { BoxOffice } from "./support/boxoffice.js";
import { browser } from "./support/browser.js";
import { Elsewhere } from "./support/elsewhere.js";
import { Issuer } from "./support/issuer.js";
import { closed, listening } from "./support/port.js";
import { resourcesOf } from "./support/resources.js";
import { until } from "./support/wait.js";

/** An event of the map, as the page was told it. */
interface Told {
  name: string;
  detail: { seats: { seatId: string }[] };
}

let issuer: Issuer;
let shop: Elsewhere;
let boxOffice: BoxOffice;
let guest: Server;
let page = "";
beforeAll(async () => {
  issuer = await Issuer.open();
  shop = await Elsewhere.open();
  guest = createServer((_, answer) => {
    answer.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end(`<!doctype html>
      <html lang="en"><title>Somebody else</title><script type="module" src="${boxOffice.url}/embed.js"></script>
      <box-office-map event="hall" src="${shop.url}" max="2" style="display: block; width: 600px; height: 600px"></box-office-map>`);
  });
  page = await listening(guest);
  const known = { auth: issuer.auth, web: `{commandUrl: "${shop.url}", allowOrigins: ["${page}"]}` };
  boxOffice = await BoxOffice.start(resourcesOf(known));
  shop.leadsTo(boxOffice.backend);
});
afterAll(async () => {
  await boxOffice?.stop();
  await Promise.all([guest && closed(guest), shop?.close(), issuer?.close()]);
});

test("a seat is chosen on the map, held and reserved for the bearer of the page's token, and the page is told each time", async () => {
  const context = await (await browser()).newContext({ viewport: { width: 700, height: 700 } });
  context.setDefaultTimeout(20_000);
  try {
    const tab = await context.newPage();
    await tab.goto(page);
    const map = tab.locator("box-office-map");
    await tab.evaluate((token) => {
      const map = document.querySelector("box-office-map") as HTMLElement & { token: string };
      const told: Told[] = [];
      Object.assign(window, { told });
      map.token = token;
      for (const name of ["seats-chosen", "held", "reserved", "problem"]) {
        map.addEventListener(name, (event) => told.push({ name, detail: (event as CustomEvent<Told["detail"]>).detail }));
      }
    }, issuer.token("gwen"));
    const told = () => tab.evaluate(() => (window as unknown as { told: Told[] }).told);
    const isTold = async (wanted: string) => (await told()).some(({ name }) => name === wanted) || undefined;
    await map.getByText(/^3\d left$/).first().waitFor();
    // The stage is above, the stalls are in the upper half, all in the middle.
    const canvas = await map.locator("canvas").boundingBox();
    if (canvas === null) throw new Error("the map is not shown");
    await until("a seat is chosen", async () => {
      await tab.mouse.click(canvas.x + canvas.width / 2, canvas.y + canvas.height * 0.34);
      return isTold("seats-chosen");
    });
    await map.getByRole("button", { name: "Continue" }).click();
    await map.getByRole("button", { name: "Reserve now" }).click();
    await until("it is reserved", () => isTold("reserved"));
    const [held, reserved] = (await told()).filter(({ name }) => name !== "seats-chosen");
    expect([held?.name, reserved?.name]).toEqual(["held", "reserved"]);
    const [seat] = reserved?.detail.seats ?? [];
    await boxOffice.reaches(seat?.seatId ?? "", "RESERVED");
  } finally {
    await context.close();
  }
});
