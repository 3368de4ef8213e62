// The page of licences: which package a module is of, and that texts of others cannot break it.
import { join } from "node:path";
import { expect, test } from "vitest";
import { folderOf, page, read } from "./licenses.ts";

test("a module's package is the innermost folder of packages that it is in", () => {
  expect(folderOf("/w/node_modules/svelte/src/index.js?x")).toBe("/w/node_modules/svelte");
  expect(folderOf("/w/node_modules/@a/b/c.js")).toBe("/w/node_modules/@a/b");
  expect(folderOf("/w/node_modules/a/node_modules/b/c.js")).toBe("/w/node_modules/a/node_modules/b");
  expect(folderOf("\0/w/node_modules/a/c.js?commonjs")).toBe("/w/node_modules/a");
  expect(folderOf("/w/src/main.ts")).toBeUndefined();
});

test("what a bundle says of what is in it is told with its own licence", () => {
  const folder = join(import.meta.dirname, "../node_modules/swagger-ui-dist");
  const { name, license, texts } = read(folder, [join(folder, "swagger-ui-es-bundle.js")]);
  expect([name, license]).toEqual(["swagger-ui-dist", "Apache-2.0"]);
  expect(texts.some((text) => text.includes("Apache License"))).toBe(true);
  expect(texts.some((text) => text.includes("classnames"))).toBe(true);
});

test("texts are shown as they are", () => {
  const one = { name: "a", version: "1", license: "MIT", texts: ['<script>"&"</script>'] };
  const html = page([one], "assets/x.css", "own");
  expect(html).toContain("&lt;script&gt;&quot;&amp;&quot;&lt;/script&gt;");
  expect(html).not.toContain("<script");
});
