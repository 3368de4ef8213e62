// What a first visit loads, gzip: the list of shows (index.html as it stands), and a show with its map. Fails above the bounds.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { gzipSync } from "node:zlib";

const KB = 1000;
const dist = resolve(import.meta.dirname, "../dist");
if (!existsSync(join(dist, "index.html"))) {
  console.error("dist/index.html is missing: run `npm run build` first");
  process.exit(2);
}
const sizeOf = (file) => gzipSync(readFileSync(file), { level: 9 }).length;
const assets = readdirSync(join(dist, "assets"));

/** A script with all that it imports at once; what it loads later is not counted. */
function closure(file, found = new Set()) {
  if (found.has(file)) return found;
  found.add(file);
  const text = readFileSync(file, "utf8");
  for (const [, path] of text.matchAll(/\b(?:import|export)\s*(?:[\w$*{},\s]+?\s*from\s*)?"(\.{1,2}\/[^"]+\.js)"/g)) {
    closure(resolve(dirname(file), path), found);
  }
  return found;
}

/** The styles that a script's parts bring along have their names. */
const stylesOf = (scripts) =>
  assets
    .filter((name) => name.endsWith(".css") && scripts.some((script) => script.includes(`/${name.replace(/-[\w-]{8}\.css$/, "-")}`)))
    .map((name) => join(dist, "assets", name));

const html = readFileSync(join(dist, "index.html"), "utf8");
const linked = [...html.matchAll(/(?:src|href)="\/(assets\/[^"]+\.(?:js|css))"/g)].map(([, path]) => join(dist, path));
const first = new Set(linked.filter((file) => file.endsWith(".css")));
for (const file of linked.filter((file) => file.endsWith(".js"))) for (const each of closure(file)) first.add(each);

const later = new Set(first);
for (const part of ["ShowPage", "SeatMap"]) {
  for (const name of assets.filter((name) => name.startsWith(`${part}-`) && name.endsWith(".js"))) {
    for (const each of closure(join(dist, "assets", name))) later.add(each);
  }
}
for (const style of stylesOf([...later])) later.add(style);

let isTooMuch = false;
for (const [what, files, most, mostScript] of [
  ["list of shows", first, 90 * KB, 70 * KB],
  ["a show with its map", later, 115 * KB, 100 * KB],
]) {
  const sum = (ending) => [...files].filter((file) => file.endsWith(ending)).reduce((total, file) => total + sizeOf(file), 0);
  const [script, style] = [sum(".js"), sum(".css")];
  const all = script + style + sizeOf(join(dist, "index.html"));
  const isOver = all > most || script > mostScript;
  isTooMuch ||= isOver;
  const kb = (bytes) => `${(bytes / KB).toFixed(1)} KB`;
  console.log(`${isOver ? "TOO MUCH" : "ok"}  ${what}: ${kb(all)} of ${kb(most)}, script ${kb(script)} of ${kb(mostScript)}`);
}
process.exit(isTooMuch ? 1 : 0);
