// How browser tests, pictures and the trial run; `launch.mjs` says which files. Never part of `npm test`.
import { resolve } from "node:path";
import { defineConfig } from "vitest/config";

export default defineConfig({
  root: resolve(import.meta.dirname, ".."),
  test: {
    globalSetup: ["tests/support/setup.ts"],
    // Each file has a Box Office of its own, all share one browser. Tests wait most of their time: two files at once.
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 120_000,
    teardownTimeout: 10_000,
    passWithNoTests: false,
  },
});
