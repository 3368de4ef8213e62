// Waiting for a condition outside of the browser; in the browser playwright waits by itself.

/** Asks again until there is an answer, and fails with `what` after `limit` milliseconds. */
export async function until<T>(
  what: string,
  ask: () => Promise<T | undefined> | T | undefined,
  limit = 15_000,
): Promise<T> {
  const end = Date.now() + limit;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    if (Date.now() > end) throw new Error(`waited ${limit} ms in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
}
