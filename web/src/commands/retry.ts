// Repeats what may be repeated: waits as long as the service asks, or ever longer, and gives up after a while. Whoever waits is told so.
import { Problem, silence } from "./problem";

/** Why one waits: the service is busy, the buyer was too quick, sales open in a moment, or nothing answers. */
export interface Waiting {
  reason: "busy" | "limited" | "opening" | "offline";
  attempt: number;
  until: number;
}

export interface Patience {
  /** How long all attempts together may take, in milliseconds. */
  total: number;
  attempts: number;
  now: () => number;
  sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
  /** From 0 to 1: many that were refused together do not return together. */
  chance: () => number;
}

export const patience: Patience = { total: 60_000, attempts: 10, now: () => Date.now(), sleep, chance: Math.random };

/** Ends early when the network is back or the caller gives up. */
function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      globalThis.removeEventListener?.("online", end);
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    globalThis.addEventListener?.("online", end);
    signal?.addEventListener("abort", end);
  });
}

/** Half a second, a whole one, two, four, then eight, a quarter of it by chance. */
export function backoff(attempt: number, chance: number): number {
  return Math.min(8000, 500 * 2 ** (attempt - 1)) * (0.875 + chance * 0.25);
}

export function reasonOf(problem: Problem): Waiting["reason"] {
  if (problem.code === "NETWORK") return "offline";
  if (problem.code === "SALES_NOT_OPEN") return "opening";
  return problem.status === 429 ? "limited" : "busy";
}

/** Runs `attempt` until it succeeds, is refused for good, or patience ends: then the last problem is thrown. */
export async function repeat<T>(
  attempt: (number: number) => Promise<T>,
  { total, attempts, now, sleep, chance }: Patience,
  waiting: (waiting: Waiting | undefined) => void,
  signal?: AbortSignal,
): Promise<T> {
  const end = now() + total;
  try {
    for (let number = 1; ; number++) {
      try {
        return await attempt(number);
      } catch (cause) {
        if (signal?.aborted) throw cause;
        const problem = cause instanceof Problem ? cause : silence(cause);
        const spread = chance();
        const wait = Math.max((problem.retryAfter ?? 0) * (1 + spread / 4), backoff(number, spread));
        if (!problem.retryable || number >= attempts || now() + wait > end) throw problem;
        waiting({ reason: reasonOf(problem), attempt: number, until: now() + wait });
        await sleep(wait, signal);
        if (signal?.aborted) throw problem;
      }
    }
  } finally {
    waiting(undefined);
  }
}
