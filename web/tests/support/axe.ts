// axe-core in a page: what it finds that is serious or critical.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import type { AxeResults } from "axe-core";
import type { Page } from "playwright-core";

const source = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** A line each: the rule, how bad it is, where, and of contrast which colours. The same wrong twice is told once. */
export async function findings(page: Page): Promise<string[]> {
  // Evaluated by the debugger, so that the page's own policy need not allow it.
  await page.evaluate(source);
  const results = await page.evaluate(() => {
    const { axe } = window as unknown as { axe: { run(options: object): Promise<AxeResults> } };
    return axe.run({ resultTypes: ["violations"] });
  });
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

/** What sticks out of the window to the right, the innermost of it first; nothing where the page is as wide as the window. */
export function overflow(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    if (document.documentElement.scrollWidth <= window.innerWidth) return [];
    const outside = [...document.querySelectorAll("body *")].filter(
      (element) => element.getBoundingClientRect().right > window.innerWidth + 0.5,
    );
    return outside.reverse().map(({ outerHTML }) => outerHTML.slice(0, 120));
  });
}
