// `npm run e2e [-- FILE...]`: looks whether what the tests need is there, then runs them.
//   BOXOFFICE=PATH             the command `boxoffice`
//   CHROMIUM=PATH              the browser, where it is not Debian's
//   BOXOFFICE_SERVES_PAGE=1    the page that the command itself serves, in place of dist/ behind a small server
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { startVitest } from "vitest/node";

const root = resolve(import.meta.dirname, "..");

const missing = [
  [!process.env.BOXOFFICE, "BOXOFFICE is not set: the path of the command `boxoffice`, such as ../target/release/boxoffice"],
  [process.env.BOXOFFICE && !existsSync(process.env.BOXOFFICE), `BOXOFFICE: there is no ${process.env.BOXOFFICE}`],
  [
    !existsSync(process.env.CHROMIUM ?? "/usr/bin/chromium"),
    "there is no browser: apt-get install --no-install-recommends chromium, or CHROMIUM=PATH",
  ],
  [
    !process.env.BOXOFFICE_SERVES_PAGE && !existsSync(resolve(root, "dist/index.html")),
    "the page is not built: npm run build",
  ],
].flatMap(([is, what]) => (is ? [what] : []));

if (missing.length > 0) {
  for (const what of missing) console.error(`e2e: ${what}`);
  process.exit(2);
}

const vitest = await startVitest("test", process.argv.slice(2), {
  root,
  config: resolve(import.meta.dirname, "vitest.config.ts"),
  watch: false,
});
await vitest.close();
