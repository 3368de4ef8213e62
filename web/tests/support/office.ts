// A Box Office that a page is tried against: in one process, or on a cluster.
import { until } from "./wait.js";

export abstract class Office {
  /** Where the page is. */
  abstract readonly url: string;
  /** Where the API answers. */
  abstract readonly backend: string;
  /** The id of a show of the tests. */
  abstract idOf(show: string): string;
  /** Ends everything that was begun for the test, and leaves nothing behind. */
  abstract stop(): Promise<void>;

  /** Calls the API as a user, whom a gateway knows by a cookie; an answer that is no success is an error. */
  async call<T>(method: string, path: string, user: string, body?: unknown): Promise<T> {
    const answer = await fetch(`${this.backend}${path}`, {
      method,
      headers: { "x-user-id": user, cookie: `user=${user}`, ...(body === undefined ? {} : { "content-type": "application/json" }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(30_000),
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
