// What is answered in place of what was asked for, typed: the service's problem documents, and silence.
import { dateOf } from "../dates";
import type { Conflict } from "./types";

interface Document {
  code?: string;
  detail?: string;
  retryable?: boolean;
  correlationId?: string;
  conflicts?: Conflict[];
  opensAt?: number;
  cancelUntil?: number;
}

/** `code` is the service's own, or NETWORK where nothing answered, or UNEXPECTED where the answer was not the service's. */
export class Problem extends Error {
  override readonly name = "Problem";
  readonly conflicts: readonly Conflict[];
  readonly correlationId?: string;
  readonly opensAt?: number;
  readonly cancelUntil?: number;

  constructor(
    readonly code: string,
    readonly status: number,
    readonly detail: string,
    readonly retryable: boolean,
    /** How long the service asks to wait, in milliseconds. */
    readonly retryAfter?: number,
    document: Document = {},
  ) {
    super(`${code}: ${detail}`);
    this.conflicts = document.conflicts ?? [];
    this.correlationId = document.correlationId;
    this.opensAt = document.opensAt;
    this.cancelUntil = document.cancelUntil;
  }
}

/** Whoever comes so short a time before sales open has a clock that is ahead a little, and waits. */
const SOON_MS = 5_000;

/** Nothing answered. */
export function silence(cause: unknown): Problem {
  return new Problem("NETWORK", 0, cause instanceof Error ? cause.message : "nothing answered", true);
}

/** `Retry-After`: seconds, or a date. */
export function retryAfter(header: string | null, now: number): number | undefined {
  if (header === null || header.trim() === "") return undefined;
  const seconds = Number(header);
  const wait = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(header) - now;
  return Number.isFinite(wait) ? Math.max(0, wait) : undefined;
}

/** The problem that an answer tells. A gateway in between may answer without a document of ours. */
export async function problemOf(response: Response): Promise<Problem> {
  let document: Document = {};
  try {
    const body: unknown = await response.json();
    if (typeof body === "object" && body !== null) document = body;
  } catch {
    // No document: the status alone tells.
  }
  const passing = [429, 502, 503, 504].includes(response.status);
  const now = dateOf(response) ?? Date.now();
  const isSoon = document.code === "SALES_NOT_OPEN" && document.opensAt !== undefined && document.opensAt - now <= SOON_MS;
  return new Problem(
    document.code ?? (response.status === 429 ? "RATE_LIMITED" : passing ? "UNAVAILABLE" : "UNEXPECTED"),
    response.status,
    document.detail ?? `the answer was ${response.status}`,
    isSoon || (document.retryable ?? passing),
    retryAfter(response.headers.get("retry-after"), now),
    document,
  );
}
