// Writes dist/licenses.html: every package that is in the built pages, with its version and the text of its licence.
import { readFileSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { readFile } from "node:fs/promises";
import type { Plugin } from "vite";

interface Package {
  name: string;
  version: string;
  license: string;
  texts: string[];
}

/** The folder of the package that a module is in; nothing where it is our own. */
export function folderOf(id: string): string | undefined {
  const [path = ""] = id.replace(/^\0/, "").split("?");
  const inside = path.lastIndexOf("/node_modules/");
  if (inside < 0) return undefined;
  const from = inside + "/node_modules/".length;
  const [scope = "", name = ""] = path.slice(from).split("/");
  return path.slice(0, from) + (scope.startsWith("@") ? `${scope}/${name}` : scope);
}

/** What a package says of itself. Bundles of others name theirs in a file beside them: NAME.LICENSE.txt. */
export function read(folder: string, modules: Iterable<string>): Package {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Package;
  const files = readdirSync(folder).filter((file) => /^(licen[cs]e|notice|copying)([.-]|$)/i.test(file));
  const paths = files.map((file) => join(folder, file));
  for (const module of modules) {
    const beside = `${module.split("?")[0]}.LICENSE.txt`;
    if (readdirSync(dirname(beside)).some((file) => beside.endsWith(`/${file}`))) paths.push(beside);
  }
  return { name, version, license, texts: [...new Set(paths)].sort().map((path) => readFileSync(path, "utf8").trim()) };
}

const escapes: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
const escaped = (text: string) => text.replace(/[&<>"]/g, (sign) => escapes[sign] ?? sign);

/** The page. Its style is a file of its own: no page of Box Office has any inside. */
export function page(packages: Package[], style: string, own: string): string {
  const entries = packages.map(
    ({ name, version, license, texts }) => `<details>
<summary><strong>${escaped(name)}</strong> ${escaped(version)} <span>${escaped(license)}</span></summary>
${texts.map((text) => `<pre tabindex="0">${escaped(text)}</pre>`).join("\n")}
</details>`,
  );
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>Licences - Box Office</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/${style}">
</head>
<body>
<main>
<h1>Licences</h1>
<p>The pages of Box Office are under the Apache License 2.0 and have these packages of others in them.</p>
${entries.join("\n")}
<h2>Box Office</h2>
<details>
<summary><strong>Box Office</strong> <span>Apache-2.0</span></summary>
<pre tabindex="0">${escaped(own)}</pre>
</details>
</main>
</body>
</html>
`;
}

/** Looks at what is bundled, workers too, and adds the page to what is written. */
export function licenses(): Plugin {
  const modules = new Map<string, Set<string>>();
  const look = (ids: Iterable<string>) => {
    for (const id of ids) {
      const folder = folderOf(id);
      if (folder !== undefined) modules.set(folder, (modules.get(folder) ?? new Set()).add(id));
    }
  };
  return {
    name: "licenses",
    apply: "build",
    config: () => ({
      // Workers are bundled apart, by plugins of their own.
      worker: {
        plugins: () => [
          {
            name: "licenses-of-workers",
            generateBundle() {
              look(this.getModuleIds());
            },
          },
        ],
      },
    }),
    async generateBundle() {
      look(this.getModuleIds());
      const packages = [...modules].map(([folder, ids]) => read(folder, ids));
      const bare = packages.find(({ texts }) => texts.length === 0);
      if (bare !== undefined) this.error(`${bare.name} ${bare.version} has no file with its licence`);
      packages.sort((a, b) => a.name.localeCompare(b.name));
      const style = this.emitFile({
        type: "asset",
        name: "licenses.css",
        source: await readFile(join(import.meta.dirname, "licenses.css"), "utf8"),
      });
      const own = await readFile(join(import.meta.dirname, "../../LICENSE"), "utf8");
      this.emitFile({
        type: "asset",
        fileName: "licenses.html",
        source: page(packages, this.getFileName(style), own.trim()),
      });
    },
  };
}
