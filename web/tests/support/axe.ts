// axe-core in a page: what it finds that is serious or critical.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import type { AxeResults } from "axe-core";
import type { Page } from "playwright-core";

const source = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Rules to run, where not all; and the part of the page to look at, where not all of it. */
export interface Scope {
  rules?: string[];
  within?: string;
}

/** A line each: the rule, how bad it is, where, and of contrast which colours. The same wrong twice is told once. */
export async function findings(page: Page, { rules, within }: Scope = {}): Promise<string[]> {
  // Evaluated by the debugger, so that the page's own policy need not allow it.
  if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(source);
  const results = await page.evaluate(
    ([rules, within]) => {
      const { axe } = window as unknown as { axe: { run(where: object, options: object): Promise<AxeResults> } };
      const where = within === undefined ? document : (document.querySelector(within) ?? document);
      return axe.run(where, { resultTypes: ["violations"], ...(rules && { runOnly: { type: "rule", values: rules } }) });
    },
    [rules, within] as const,
  );
  const lines = results.violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .flatMap(({ id, impact, nodes }) =>
      nodes.map(({ html, any }) => {
        const told = (any[0]?.data ?? {}) as { fgColor?: string; bgColor?: string; contrastRatio?: number };
        const colors = told.fgColor === undefined ? "" : ` ${told.fgColor} on ${told.bgColor}: ${told.contrastRatio}`;
        return `${impact} ${id}${colors}: ${html.replace(/>[^]*$/, ">").slice(0, 140)}`;
      }),
    );
  return [...new Set(lines)];
}

/** Colours that pass over into others take a frame, however short that is told to be. */
async function colored(page: Page, colorScheme: "light" | "dark"): Promise<void> {
  await page.emulateMedia({ colorScheme });
  await page.evaluate(async () => {
    const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
    await frame();
    await Promise.allSettled(document.getAnimations().map(({ finished }) => finished));
    await frame();
  });
}

/** As `findings`, in light and in dark: all rules once, in the other of the two what hangs on colours. */
export async function findingsInBoth(page: Page, scope: Scope = {}): Promise<string[]> {
  await colored(page, "light");
  const light = await findings(page, scope);
  await colored(page, "dark");
  const dark = await findings(page, { ...scope, rules: ["color-contrast", "link-in-text-block"] });
  return [...light.map((line) => `light: ${line}`), ...dark.map((line) => `dark: ${line}`)];
}

/** What sticks out of the window to the right, the innermost of it first; nothing where the page is as wide as the window. */
export function overflow(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    if (document.documentElement.scrollWidth <= window.innerWidth) return [];
    // What is cut off or scrolled within a part of the page makes nothing wider.
    const isInside = (element: Element | null): boolean =>
      element !== null &&
      element !== document.body &&
      (getComputedStyle(element).overflowX !== "visible" || isInside(element.parentElement));
    const outside = [...document.querySelectorAll("body *")].filter(
      (element) =>
        element.getBoundingClientRect().right > window.innerWidth + 0.5 && !isInside(element.parentElement),
    );
    return outside.reverse().map(({ outerHTML }) => outerHTML.slice(0, 120));
  });
}
