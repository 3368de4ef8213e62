// How browser tests and pictures run; `launch.mjs` says which files. Never part of `npm test`.
import { resolve } from "node:path";
import { defineConfig } from "vitest/config";

export default defineConfig({
  root: resolve(import.meta.dirname, ".."),
  test: {
    globalSetup: ["tests/support/setup.ts"],
    // One browser and little more than one core: files run after one another.
    fileParallelism: false,
    pool: "forks",
    testTimeout: 30_000,
    hookTimeout: 60_000,
    teardownTimeout: 10_000,
    passWithNoTests: false,
  },
});
