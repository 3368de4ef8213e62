// A Box Office in one process, with resources made for a test, kept across restarts until the test ends.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Front, front } from "./front.js";
import { until } from "./wait.js";

/** A port that nobody has now. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

export class BoxOffice {
  readonly #folder: string;
  readonly #port: number;
  readonly #options: readonly string[];
  #front: Front | undefined;
  #process: ChildProcess | undefined;
  #said = "";
  readonly #kill = () => void this.#process?.kill("SIGKILL");

  private constructor(folder: string, port: number, options: readonly string[]) {
    this.#folder = folder;
    this.#port = port;
    this.#options = options;
  }

  /** One that is ready. `resources` are documents as in `boxoffice local -f`, `options` are its other ones. */
  static async start(resources: string, options: readonly string[] = []): Promise<BoxOffice> {
    const self = new BoxOffice(mkdtempSync(join(tmpdir(), "boxoffice-e2e-")), await freePort(), options);
    try {
      self.write(resources);
      process.once("exit", self.#kill);
      await self.begin();
      if (!process.env.BOXOFFICE_SERVES_PAGE) self.#front = await front(self.backend);
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

  /** Calls the API as a user; an answer that is no success is an error. */
  async call<T>(method: string, path: string, user: string, body?: unknown): Promise<T> {
    const answer = await fetch(`${this.backend}${path}`, {
      method,
      headers: { "x-user-id": user, ...(body === undefined ? {} : { "content-type": "application/json" }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as T;
  }

  /** The status of a seat. */
  async status(seatId: string): Promise<string> {
    return (await this.call<{ status: string }>("GET", `/seats/${seatId}`, "nobody")).status;
  }

  /** Waits until a seat has this status. */
  async reaches(seatId: string, status: string): Promise<void> {
    await until(`${seatId} is ${status}`, async () => (await this.status(seatId)) === status || undefined);
  }
}
