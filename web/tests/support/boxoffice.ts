// A Box Office in one process, with resources made for a test, kept across restarts until the test ends.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Front, front } from "./front.js";
import { Office } from "./office.js";
import { closed, listening } from "./port.js";
import { until } from "./wait.js";

/** A port that nobody has now. */
async function freePort(): Promise<number> {
  const server = createServer();
  const { port } = new URL(await listening(server));
  await closed(server);
  return Number(port);
}

export class BoxOffice extends Office {
  readonly #folder: string;
  readonly #port: number;
  readonly #options: readonly string[];
  #front: Front | undefined;
  #process: ChildProcess | undefined;
  #said = "";
  readonly #kill = () => void this.#process?.kill("SIGKILL");

  private constructor(folder: string, port: number, options: readonly string[]) {
    super();
    this.#folder = folder;
    this.#port = port;
    this.#options = options;
  }

  /**
   * One that is ready. `resources` are documents as in `boxoffice local -f`, or what makes them of where the page will be;
   * `options` are its other ones. `commandsAt`: where the page may send commands, beside its own origin.
   */
  static async start(
    resources: string | ((page: string) => string),
    options: readonly string[] = [],
    commandsAt = "",
  ): Promise<BoxOffice> {
    const self = new BoxOffice(mkdtempSync(join(tmpdir(), "boxoffice-e2e-")), await freePort(), options);
    try {
      if (!process.env.BOXOFFICE_SERVES_PAGE) self.#front = await front(self.backend, commandsAt);
      self.write(typeof resources === "string" ? resources : resources(self.url));
      process.once("exit", self.#kill);
      await self.begin();
    } catch (error) {
      await self.stop();
      throw error;
    }
    return self;
  }

  /** Where the process listens. */
  get backend(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Where the page is. */
  get url(): string {
    return this.#front?.url ?? this.backend;
  }

  idOf(show: string): string {
    return show;
  }

  /** Other resources in place of the ones that are there: they take effect at once. */
  write(resources: string): void {
    writeFileSync(join(this.#folder, "resources.yaml"), resources);
  }

  /** Starts the process again, on the same port and data. */
  async begin(): Promise<void> {
    const files = ["--filename", join(this.#folder, "resources.yaml"), "--data-dir", join(this.#folder, "data")];
    const child = spawn(process.env.BOXOFFICE ?? "boxoffice", ["local", ...files, "--port", String(this.#port), ...this.#options], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#process = child;
    this.#said = "";
    for (const output of [child.stdout, child.stderr]) output.on("data", (data) => (this.#said += String(data)));
    await until("boxoffice local is ready", async () => {
      if (child.exitCode !== null) throw new Error(`boxoffice local ended:\n${this.#said}`);
      const answer = await fetch(`${this.backend}/readyz`).catch(() => undefined);
      return answer?.ok || undefined;
    }, 60_000);
  }

  /** Ends the process, like a crash; the page's address stays and answers nothing. */
  async crash(): Promise<void> {
    const child = this.#process;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await ended;
  }

  /** Ends everything and leaves nothing behind. */
  async stop(): Promise<void> {
    await this.#front?.close();
    await this.crash();
    process.off("exit", this.#kill);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
