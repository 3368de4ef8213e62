// How to reach every state of the page that a buyer can meet, in either language. They follow one another in one tab.
import type { Page } from "playwright-core";
import type { BoxOffice } from "./boxoffice.js";

export interface State {
  name: string;
  reach(page: Page, boxOffice: BoxOffice): Promise<void>;
}

/** From an address, once something of it is there. */
function at(name: string, path: string, shown: RegExp): State {
  return {
    name,
    reach: async (page, { url }) => {
      await page.goto(`${url}${path}`);
      await page.getByText(shown).first().waitFor();
    },
  };
}

const seat = (page: Page, row: string, number: number) =>
  page.getByRole("gridcell", { name: new RegExp(`^(Row|Reihe) ${row}, (seat|Platz) ${number},`) });

/** The panel of the cart is a sheet on phones. */
async function drawUp(page: Page): Promise<void> {
  const handle = page.getByRole("button", { expanded: false }).filter({ has: page.locator(".grip") });
  if (await handle.isVisible()) await handle.click();
}

async function drawDown(page: Page): Promise<void> {
  const handle = page.getByRole("button", { expanded: true }).filter({ has: page.locator(".grip") });
  if (await handle.isVisible()) await handle.click();
}

/** `who`: tells the runs of one Box Office apart; each has a row of seats of its own. */
export function states(who: string): State[] {
  const row = ["A", "B", "C", "D"][who.length % 4] ?? "A";
  const user = `buyer-${who.replace(/\W+/g, "-")}`;
  return [
    at("list", "/", /An Evening at the Hall/),
    at("not on sale yet", "/?event=later", /Not on sale yet|Noch nicht im Verkauf/),
    at("paused", "/?event=paused", /Sales paused|Verkauf unterbrochen/),
    at("closed", "/?event=closed", /Sales closed|Verkauf beendet/),
    at("sold out", "/?event=last-seat", /Sold out|Ausverkauft/),
    at("no such show", "/?event=nowhere", /There is no such show|gibt es nicht/),
    at("tickets of nobody", "/?tickets", /Sign in to see|Melden Sie sich an|anmelden/i),
    {
      name: "map",
      reach: async (page, { url }) => {
        await page.goto(`${url}/?event=hall`);
        await page.locator("canvas").first().waitFor();
        await page.getByRole("heading", { name: "An Evening at the Hall" }).waitFor();
      },
    },
    {
      name: "sections",
      reach: async (page) => {
        await page.getByRole("button", { name: /^(List|Liste)$/ }).click();
        await page.getByRole("button", { name: /^Stalls/ }).waitFor();
      },
    },
    {
      name: "seats of a section",
      reach: async (page) => {
        await page.getByRole("button", { name: /^Stalls/ }).click();
        await seat(page, row, 1).waitFor();
      },
    },
    {
      name: "who is buying",
      reach: async (page) => {
        await seat(page, row, 1).click();
        await page.getByRole("dialog").waitFor();
      },
    },
    {
      name: "cart",
      reach: async (page) => {
        await page.getByRole("dialog").getByRole("textbox").fill(user);
        await page.getByRole("dialog").getByRole("button", { name: /Continue|Weiter/ }).click();
        await page.getByRole("dialog").waitFor({ state: "hidden" });
        await page.getByRole("gridcell", { selected: true }).first().waitFor();
        await drawUp(page);
      },
    },
    {
      name: "a seat has just gone",
      reach: async (page) => {
        await drawDown(page);
        // The answer of the command is what tells: the stream is too quick for anybody to be late.
        await page.route(`**/seats/hall.STALLS-${row}-2/hold`, conflict(`hall.STALLS-${row}-2`));
        await page.route("**/holds/*/seats", conflict(`hall.STALLS-${row}-2`));
        await seat(page, row, 2).click();
        await page.locator('[data-notice="lost"]').getByRole("button").last().waitFor();
        await page.unrouteAll();
      },
    },
    {
      name: "reserved and paid",
      reach: async (page) => {
        await drawUp(page);
        await page.getByRole("button", { name: /Reserve now|Jetzt reservieren/ }).click();
        await page.getByText(/^(Paid|Bezahlt)$/).first().waitFor();
      },
    },
    {
      name: "tickets",
      reach: async (page, { url }) => {
        await page.goto(`${url}/?tickets`);
        await page.getByText("An Evening at the Hall").first().waitFor();
      },
    },
    {
      name: "one ticket",
      reach: async (page) => {
        await page.getByRole("link", { name: /Open tickets|Tickets öffnen/ }).first().click();
        await page.getByRole("heading", { name: /Your tickets|Ihre Tickets/ }).waitFor();
      },
    },
    {
      name: "whether to cancel",
      reach: async (page) => {
        await page.getByRole("button", { name: /^(Cancel reservation|Reservierung stornieren)$/ }).click();
        await page.getByRole("dialog").waitFor();
      },
    },
    {
      name: "time is up",
      reach: async (page, { url }) => {
        await page.goto(`${url}/?event=quick`);
        await page.getByRole("button", { name: /^(List|Liste)$/ }).click();
        await page.getByRole("button", { name: /^Stalls/ }).click();
        await seat(page, row, 1).click();
        await page.locator('[data-notice="ended"]').getByRole("button").last().waitFor();
      },
    },
  ];
}

/** Answers as the service does when somebody was quicker. */
function conflict(seatId: string): Parameters<Page["route"]>[1] {
  const body = {
    type: "https://boxoffice.dev/problems/seat-not-available",
    title: "Seat not available",
    status: 409,
    detail: "somebody has it",
    code: "SEAT_NOT_AVAILABLE",
    retryable: false,
    correlationId: "00000000-0000-4000-8000-000000000000",
    conflicts: [{ seatId, reason: "HELD" }],
  };
  return (route) => route.fulfill({ status: 409, contentType: "application/problem+json", body: JSON.stringify(body) });
}
