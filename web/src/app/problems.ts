// Problems, and what is waited for, in the reader's words.
import type { Problem, Waiting } from "../commands/client";
import { moment } from "./format";
import { isKey, t } from "./i18n/index.svelte";

export function wordsOf(problem: Problem): string {
  const key = `problem.${problem.code}`;
  // A closed cancellation tells when it closed; one that does not is told in the service's own words.
  const lacks = problem.code === "CANCELLATION_CLOSED" && problem.cancelUntil === undefined;
  if (!isKey(key) || lacks) return t("problem.other", { detail: problem.detail });
  return t(key, { when: problem.cancelUntil === undefined ? "" : moment(problem.cancelUntil) });
}

/** Why one waits, and how much longer. */
export function wordsOfWait({ reason, until }: Waiting, now: number): string {
  const seconds = Math.ceil((until - now) / 1000);
  return seconds > 0 ? t(`wait.${reason}`, { n: seconds }) : t("wait.now");
}
