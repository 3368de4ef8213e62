// Requests to the query side: a time limit on each, and what went wrong as a code.

/** Why something could not be read. `code` is the server's, UNREACHABLE where it did not answer, else INVALID_ANSWER. */
export class ReadError extends Error {
  constructor(
    readonly code: string,
    readonly status = 0,
    /** How long the server wants one to wait, in milliseconds. */
    readonly retryAfter?: number,
  ) {
    super(code);
  }

  /** Whether asking again may help. */
  get passes(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

const PATIENCE = 15_000;

/** Asks, and gives back an answer that says 200. */
export async function read(
  fetcher: typeof fetch,
  address: string,
  headers: Record<string, string>,
  signal: AbortSignal,
): Promise<Response> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(PATIENCE)]);
  let response: Response;
  try {
    response = await fetcher(address, { headers, signal: limit });
  } catch (error) {
    if (signal.aborted) throw error;
    throw new ReadError("UNREACHABLE");
  }
  if (response.ok) return response;
  throw await refusal(response);
}

/** What an answer that is not 200 says. */
export async function refusal(response: Response): Promise<ReadError> {
  const body = (await response.json().catch(() => ({}))) as { code?: unknown };
  const code = typeof body.code === "string" ? body.code : "INVALID_ANSWER";
  const seconds = Number(response.headers.get("retry-after") ?? Number.NaN);
  return new ReadError(code, response.status, Number.isFinite(seconds) ? seconds * 1000 : undefined);
}
