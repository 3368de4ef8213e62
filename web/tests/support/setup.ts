// Starts the browser once for all files, and ends it whatever became of them.
import { chromium } from "playwright-core";
import type { TestProject } from "vitest/node";

declare module "vitest" {
  export interface ProvidedContext {
    /** Where the browser listens for playwright. */
    browser: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await chromium.launchServer({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    headless: true,
    args: ["--no-sandbox", "--disable-background-networking", "--disable-gpu", "--disable-dev-shm-usage"],
  });
  project.provide("browser", server.wsEndpoint());
  const end = () => server.process().kill("SIGKILL");
  process.once("exit", end);
  return async () => {
    process.off("exit", end);
    await server.close();
  };
}
