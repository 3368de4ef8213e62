// Parts that are missing while workers are exchanged are asked for again, and given up after a while.
import { afterEach, expect, it, vi } from "vitest";
import { load } from "./load";

it("asks again until the part is there", async () => {
  let asked = 0;
  const part = async () => {
    if (++asked < 3) throw new TypeError("Importing a module script failed.");
    return "part";
  };
  expect(await load(part, 1000, 1)).toBe("part");
  expect(asked).toBe(3);
});

afterEach(() => vi.unstubAllGlobals());

/** As much of a link as is needed. */
class Link extends EventTarget {
  rel = "";
  href = "";
  remove() {}
}

it("asks for styles again, and shows no part without", async () => {
  const links: Link[] = [];
  let fails = (_: object) => {};
  vi.stubGlobal("addEventListener", (_: string, listener: typeof fails) => (fails = listener));
  vi.stubGlobal("document", { createElement: () => new Link(), head: { append: (link: Link) => links.push(link) } });
  vi.resetModules();
  const fresh = await import("./load");
  const prevented = vi.fn();
  fails({ payload: new Error("Unable to preload CSS for https://a.test/assets/Part-x.css"), preventDefault: prevented });
  fails({ payload: new Error("Failed to fetch https://a.test/assets/Part-x.js"), preventDefault: () => expect.unreachable() });
  let isShown = false;
  const shown = fresh.load(async () => "part").then((part) => ((isShown = true), part));
  await vi.waitFor(() => expect(links).toHaveLength(1), 3000);
  links[0]!.dispatchEvent(new Event("error"));
  await vi.waitFor(() => expect(links).toHaveLength(2), 3000);
  expect([isShown, links[1]!.href, links[1]!.rel]).toEqual([false, "https://a.test/assets/Part-x.css", "stylesheet"]);
  links[1]!.dispatchEvent(new Event("load"));
  expect(await shown).toBe("part");
  expect(prevented).toHaveBeenCalledOnce();
});

it("gives up", async () => {
  await expect(load(() => Promise.reject(new TypeError("gone")), 5, 1)).rejects.toThrow("gone");
});
