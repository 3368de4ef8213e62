// What the page costs a phone: 390x844 at two pixels a pixel, the main thread slowed four times, 500 changes a second. Tasks of
// the main thread, paints of the worker, how long until the map is live, and memory beyond an empty page's. Nothing is asserted.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { test } from "vitest";
import { BoxOffice } from "./support/boxoffice.js";
import { browser } from "./support/browser.js";
import { sellMany } from "./support/crowd.js";
import { Stir } from "./support/stir.js";
import { percentile, Trace, type Piece } from "./support/trace.js";
import { vast } from "./support/vast.js";

const root = join(import.meta.dirname, "../..");
const PHONE = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: false, locale: "en-GB" };
const RATE = 500;
/** How long a part lasts in which nothing is done but looking. */
const LOOK = 6_000;

/** What sells the examples, and one of them. */
const stadium = ["01-reservation-service", "04-stadium"]
  .map((name) => readFileSync(join(root, `examples/${name}.yaml`), "utf8"))
  .join("\n---\n");

const shows = [
  { name: "stadium-final", resources: stadium },
  { name: "vast", resources: vast },
];

/** Whether the main thread is slowed: where the machine is shared, slowing it slows what others took of it as well. */
const slownesses = [4, 1];

interface Part {
  part: string;
  tasks: Piece[];
  paints: Piece[];
  resident: number;
}

const lasting = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds));

/** Memory that a process has in RAM, in MB. */
function residentOf(process: number): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${process}/status`, "utf8")) ?? [];
  return Number(kilobytes) / 1024;
}

/** What the page does itself is measured, so nobody else's script runs in it: it says by marks how far it is. */
function markCounted(): void {
  new MutationObserver((_, self) => {
    if (document.querySelector(".seat-map-count") === null) return;
    performance.mark("counted");
    self.disconnect();
  }).observe(document, { subtree: true, childList: true });
}

/** What a buyer does, by fingers and keys alone. */
const deeds: { part: string; act(page: Page, name: string): Promise<void> }[] = [
  { part: "look at all", act: () => lasting(LOOK) },
  {
    part: "come closer",
    act: async (page) => {
      await page.mouse.move(195, 300);
      for (let step = 0; step < 36; step++) {
        await page.mouse.wheel(0, -120);
        await lasting(60);
      }
    },
  },
  {
    part: "move about",
    act: async (page) => {
      for (let sweep = 0; sweep < 4; sweep++) {
        await page.mouse.move(195, 300);
        await page.mouse.down();
        await page.mouse.move(sweep % 2 === 0 ? 60 : 330, 200 + 50 * sweep, { steps: 25 });
        await page.mouse.up();
      }
    },
  },
  { part: "look at seats", act: () => lasting(LOOK) },
  {
    part: "sheet up",
    act: async (page) => {
      await page.mouse.click(360, 800);
      await lasting(700);
    },
  },
  {
    part: "hold the best two",
    act: async (page, name) => {
      for (const key of ["Tab", "Tab", "Enter"]) await page.keyboard.press(key);
      await lasting(500);
      await page.keyboard.type(name);
      await page.keyboard.press("Enter");
      await lasting(2000);
    },
  },
  {
    part: "sheet down",
    act: async (page) => {
      await page.keyboard.press("Escape");
      await lasting(700);
    },
  },
  {
    part: "list of sections",
    act: async (page) => {
      await page.mouse.click(362, 88);
      await lasting(1500);
    },
  },
  {
    part: "list of seats",
    act: async (page) => {
      await page.mouse.click(195, 420);
      await lasting(LOOK);
    },
  },
];

async function measured(boxOffice: BoxOffice, eventId: string, slowed: number) {
  const chromium = await browser();
  const context = await chromium.newContext(PHONE);
  try {
    const page = await context.newPage();
    await page.addInitScript(markCounted);
    const debug = await context.newCDPSession(page);
    if (slowed > 1) await debug.send("Emulation.setCPUThrottlingRate", { rate: slowed });
    const address = `${boxOffice.url}/?event=${eventId}`;
    const load = await Trace.during(chromium, async () => {
      await page.goto(address);
      await lasting(LOOK / 2);
    });
    const process = load.processOf(address);
    const parts: Part[] = [{ part: "load", tasks: load.tasks(process), paints: load.paints(process), resident: residentOf(process) }];
    for (const { part, act } of deeds) {
      const trace = await Trace.during(chromium, () => act(page, `trial-${slowed}`));
      parts.push({ part, tasks: trace.tasks(process), paints: trace.paints(process), resident: residentOf(process) });
      if (slowed === 1) await page.screenshot({ path: join(root, `target/trial/${eventId} ${part}.png`) });
    }
    return { until: load.until(address, "counted"), parts };
  } finally {
    await context.close();
  }
}

/** Memory of a process that shows nothing. */
async function emptyResident(): Promise<number> {
  const chromium = await browser();
  const context = await chromium.newContext(PHONE);
  try {
    const page = await context.newPage();
    const address = "data:text/html,";
    const trace = await Trace.during(chromium, () => page.goto(address));
    await lasting(1000);
    return residentOf(trace.processOf(address));
  } finally {
    await context.close();
  }
}

function tell(line: string): void {
  process.stdout.write(`${line}\n`);
}

const two = (value: number | undefined) => (value ?? 0).toFixed(1).padStart(7);

test.each(shows)("$name", { timeout: 600_000 }, async ({ name, resources }) => {
  mkdirSync(join(root, "target/trial"), { recursive: true });
  const boxOffice = await BoxOffice.start(resources);
  try {
    await sellMany(boxOffice, name, 0.3);
    const stir = await Stir.begin(boxOffice, name, RATE);
    const begin = performance.now();
    const empty = await emptyResident();
    for (const slowed of slownesses) {
      const { until, parts } = await measured(boxOffice, name, slowed);
      tell(`\n${name}, main thread slowed ${slowed} times. Milliseconds by processor time (by the clock); MB beyond an empty page.`);
      tell(`counts ${until.marked.toFixed(0)}, map ${until.painted.toFixed(0)} after the address was opened`);
      tell("                    longest task          2nd     3rd   paints   median   95 %             longest      MB");
      for (const { part, tasks, paints, resident } of parts) {
        const [first, second, third] = tasks;
        const times = paints.map(({ processor }) => processor);
        const clocks = paints.map(({ clock }) => clock);
        tell(
          `${part.padEnd(18)}${two(first?.processor)} (${two(first?.clock)})  ${two(second?.processor)} ${two(third?.processor)}  ${String(paints.length).padStart(5)} ` +
            `${two(percentile(times, 0.5))} ${two(percentile(times, 0.95))} (${two(percentile(clocks, 0.95))}) ${two(percentile(times, 1))} ${(resident - empty).toFixed(0).padStart(7)}`,
        );
      }
      writeFileSync(join(root, `target/trial/${name}-${slowed}.json`), JSON.stringify({ until, empty, parts }));
    }
    const rate = stir.changed / ((performance.now() - begin) / 1000);
    await stir.stop();
    tell(`${rate.toFixed(0)} changes a second`);
  } finally {
    await boxOffice.stop();
  }
});
