// Unit tests run in Node, beside what they test (*.test.ts). Runes need Svelte's compiler and its browser build.
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";

export default defineConfig({
  plugins: [svelte()],
  resolve: { conditions: ["browser"] },
  test: { include: ["src/**/*.test.ts", "build/**/*.test.ts"], environment: "node", maxWorkers: 1 },
});
