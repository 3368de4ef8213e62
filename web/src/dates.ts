// The service's time, as its answers tell it: a reader's clock may be wrong by an hour.

/** Told when an answer says which time it is at the service, and when that answer was asked for by the reader's clock. */
export type OnTime = (date: number, sentAt: number) => void;

/** `Date` of an answer. */
export function dateOf({ headers }: Response): number | undefined {
  const date = Date.parse(headers.get("date") ?? "");
  return Number.isFinite(date) ? date : undefined;
}

/** The same, unless a cache may have kept the answer: then it tells when that was. */
export function freshDateOf(response: Response): number | undefined {
  return /no-(store|cache)/.test(response.headers.get("cache-control") ?? "") ? dateOf(response) : undefined;
}
