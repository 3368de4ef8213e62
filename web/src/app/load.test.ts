// Parts that are missing while workers are exchanged are asked for again, and given up after a while.
import { expect, it } from "vitest";
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

it("gives up", async () => {
  await expect(load(() => Promise.reject(new TypeError("gone")), 5, 1)).rejects.toThrow("gone");
});
