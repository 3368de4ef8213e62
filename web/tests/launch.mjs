// Looks whether what browser tests, pictures and the trial need is there, then runs the files that are meant.
//   BOXOFFICE=PATH             the command `boxoffice`
//   CHROMIUM=PATH              the browser, where it is not Debian's
//   DIST=FOLDER                the built page, where it is not dist/
//   BOXOFFICE_SERVES_PAGE=1    the page that the command itself serves, in place of dist/ behind a small server
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { parseCLI, startVitest } from "vitest/node";

const root = resolve(import.meta.dirname, "..");

function missing() {
  const { BOXOFFICE, BOXOFFICE_SERVES_PAGE, CHROMIUM = "/usr/bin/chromium", DIST = resolve(root, "dist") } = process.env;
  return [
    [!BOXOFFICE, "BOXOFFICE is not set: the path of the command `boxoffice`, such as ../target/release/boxoffice"],
    [BOXOFFICE && !existsSync(BOXOFFICE), `BOXOFFICE: there is no ${BOXOFFICE}`],
    [!existsSync(CHROMIUM), "there is no browser: apt-get install --no-install-recommends chromium, or CHROMIUM=PATH"],
    [!BOXOFFICE_SERVES_PAGE && !existsSync(resolve(DIST, "licenses.html")), "the page is not built: npm run build"],
  ].flatMap(([is, what]) => (is ? [what] : []));
}

/** `include`: which files there are; the command line chooses from them as Vitest's does. */
export async function launch(include) {
  const lacks = missing();
  for (const what of lacks) console.error(`e2e: ${what}`);
  if (lacks.length > 0) process.exit(2);
  const { filter, options } = parseCLI(["vitest", "run", ...process.argv.slice(2)]);
  const vitest = await startVitest("test", filter, {
    ...options,
    root,
    config: resolve(import.meta.dirname, "vitest.config.ts"),
    include: [include],
    watch: false,
  });
  await vitest.close();
}
