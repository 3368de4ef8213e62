// Tabs in which everything that a page must not do is an error: requests elsewhere, what the policy forbids, uncaught errors.
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { inject } from "vitest";

export interface Look {
  language?: "en" | "de";
  scheme?: "light" | "dark";
  width?: number;
  height?: number;
  scale?: number;
  touch?: boolean;
  /** An origin that the page may ask beside its own. */
  mayAsk?: string;
  /** Who one is where a gateway knows that. */
  user?: string;
}

let connected: Promise<Browser> | undefined;

/** The browser of all files. */
export function browser(): Promise<Browser> {
  connected ??= chromium.connect(inject("browser"));
  return connected;
}

/** A tab, and what it did that it must not. */
export class Tab {
  readonly wrongs: string[] = [];
  private constructor(
    readonly page: Page,
    readonly context: BrowserContext,
  ) {}

  /** A tab with cookies and storage of its own, at `url`. `path` is relative to it. */
  static async open(url: string, path: string, look: Look = {}): Promise<Tab> {
    const { width = 1280, height = 800, scale = 1, language = "en", scheme = "light", touch = false } = look;
    const context = await (await browser()).newContext({
      viewport: { width, height },
      deviceScaleFactor: scale,
      locale: language === "en" ? "en-GB" : "de-DE",
      timezoneId: "Europe/Berlin",
      colorScheme: scheme,
      hasTouch: touch,
      reducedMotion: "reduce",
    });
    context.setDefaultTimeout(20_000);
    if (look.user !== undefined) await context.addCookies([{ name: "user", value: look.user, url }]);
    const tab = new Tab(await context.newPage(), context);
    tab.#watch([new URL(url).origin, ...(look.mayAsk === undefined ? [] : [look.mayAsk])]);
    await tab.page.goto(`${url}${path}`);
    return tab;
  }

  #watch(origins: readonly string[]): void {
    this.context.on("request", (request) => {
      const { protocol, origin: other } = new URL(request.url());
      if (protocol.startsWith("http") && !origins.includes(other)) this.wrongs.push(`asked ${request.url()}`);
    });
    this.page.on("pageerror", (error) => this.wrongs.push(`uncaught: ${error.stack ?? error.message}`));
    this.page.on("console", (message) => {
      const text = message.text();
      // The browser itself tells of answers such as 409 and of servers that are away; tests bring these about.
      if (message.type() === "error" && !/^Failed to load resource/.test(text)) this.wrongs.push(`console: ${text}`);
    });
  }

  /** Closes it, and fails if it did what it must not. */
  async close(): Promise<void> {
    await this.context.close();
    if (this.wrongs.length > 0) throw new Error(`the page did what it must not:\n${this.wrongs.join("\n")}`);
  }
}

/** Runs `work` in a tab and closes it. What `work` threw goes before what the tab did. */
export async function inTab<T>(url: string, path: string, look: Look, work: (page: Page, tab: Tab) => Promise<T>): Promise<T> {
  const tab = await Tab.open(url, path, look);
  let result: T;
  try {
    result = await work(tab.page, tab);
  } catch (error) {
    await keepPicture(tab.page);
    await tab.context.close();
    if (tab.wrongs.length > 0) console.error(tab.wrongs.join("\n"));
    throw error;
  }
  await tab.close();
  return result;
}

/** What the page looked like when a test failed, for whoever looks into it. */
async function keepPicture(page: Page): Promise<void> {
  const path = `${import.meta.dirname}/../../../target/screenshots/failed-${Date.now()}.png`;
  await page.screenshot({ path, timeout: 3_000 }).then(
    () => console.error(`the page as it was: ${path}`),
    () => undefined,
  );
}
