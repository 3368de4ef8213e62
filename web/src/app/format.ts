// Money, times and durations as the reader writes them: in the show's currency and the reader's zone.
import { lists, minorUnit, numbers, times } from "../intl";
import { locale, t } from "./i18n/index.svelte";

/** An amount in the currency's minor unit: 12000 is 120.00 EUR, and 12,000 JPY. */
export function money(amount: number, currency: string): string {
  return numbers(locale(), { style: "currency", currency }).format(amount / minorUnit(currency));
}

/** Day and time with the zone's short name. */
export function moment(at: number): string {
  return times(locale(), {
    weekday: "short",
    day: "numeric",
    month: "short",
    year: "numeric",
    hour: "numeric",
    minute: "2-digit",
    timeZoneName: "short",
  }).format(at);
}

/** As a poster says it, the zone by its full name. */
export function fullMoment(at: number): string {
  return times(locale(), {
    weekday: "long",
    day: "numeric",
    month: "long",
    year: "numeric",
    hour: "numeric",
    minute: "2-digit",
    timeZoneName: "long",
  }).format(at);
}

export function dateParts(at: number): { day: string; month: string; weekday: string; year: string } {
  const part = (options: Intl.DateTimeFormatOptions) => times(locale(), options).format(at);
  return {
    day: times("en", { day: "numeric" }).format(at),
    month: part({ month: "short" }),
    weekday: part({ weekday: "short" }),
    year: times("en", { year: "numeric" }).format(at),
  };
}

/** The reader's zone: its name, and where that is. */
export function zone(at: number): string {
  const parts = times(locale(), { timeZoneName: "long" }).formatToParts(at);
  const name = parts.find(({ type }) => type === "timeZoneName")?.value ?? "";
  const place = Intl.DateTimeFormat().resolvedOptions().timeZone.split("/").at(-1)?.replaceAll("_", " ");
  return place === undefined || name.includes(place) ? name : `${name} (${place})`;
}

/** In words, for ears: the two largest parts. */
export function spoken(ms: number): string {
  const seconds = Math.max(0, Math.ceil(ms / 1000));
  const parts = [
    ["time.days", Math.floor(seconds / 86_400)],
    ["time.hours", Math.floor(seconds / 3600) % 24],
    ["time.minutes", Math.floor(seconds / 60) % 60],
    ["time.seconds", seconds % 60],
  ] as const;
  const told = parts.filter(([, n]) => n > 0).slice(0, 2);
  return told.length === 0 ? t("time.seconds", { n: 0 }) : told.map(([key, n]) => t(key, { n })).join(" ");
}

export function list(items: readonly string[]): string {
  return lists(locale()).format(items);
}
