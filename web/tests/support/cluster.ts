// The cluster that `make cluster` made, by the gateway at BOXOFFICE_URL: shows of a run's own, in the namespace of examples/.
import { execFile } from "node:child_process";
import { Office } from "./office.js";
import { showsOf } from "./resources.js";
import { until } from "./wait.js";

const NAMESPACE = "tickets";

/** kubectl, with what it reads from standard input. */
function kubectl(args: readonly string[], input = ""): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = execFile("kubectl", ["--namespace", NAMESPACE, ...args], { timeout: 120_000 }, (failed, _, said) => {
      if (failed) reject(new Error(`kubectl ${args.join(" ")}: ${said || failed.message}`));
      else resolve();
    });
    child.stdin?.end(input);
  });
}

export class Cluster extends Office {
  readonly #run = Math.random().toString(36).slice(2, 8);

  private constructor(
    readonly url: string,
    readonly shows: readonly string[],
  ) {
    super();
  }

  /** One that has these shows of the tests on sale. */
  static async start(url: string, shows: readonly string[]): Promise<Cluster> {
    const self = new Cluster(url.replace(/\/$/, ""), shows);
    try {
      await kubectl(["apply", "--filename", "-"], showsOf(shows, (show) => self.idOf(show)));
      for (const show of shows) await until(`${show} is on sale`, () => self.#isOnSale(show), 120_000);
    } catch (error) {
      await self.stop();
      throw error;
    }
    return self;
  }

  get backend(): string {
    return this.url;
  }

  idOf(show: string): string {
    return `${show}-${this.#run}`;
  }

  async stop(): Promise<void> {
    await kubectl(["delete", "seatingevents", "--ignore-not-found", "--timeout", "60s", ...this.shows.map((show) => this.idOf(show))]);
  }

  async #isOnSale(show: string): Promise<true | undefined> {
    const answer = await fetch(`${this.url}/events/${this.idOf(show)}`, { signal: AbortSignal.timeout(10_000) }).catch(() => undefined);
    if (!answer?.ok) return undefined;
    return ((await answer.json()) as { phase: string }).phase === "OnSale" || undefined;
  }
}
