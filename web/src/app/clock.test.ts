// The service's time on a phone whose clock is wrong, by answers that are slow.
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { clock } from "./clock.svelte";

const NOON = Date.UTC(2030, 0, 1, 12);
const HOUR = 3_600_000;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"] });
  vi.setSystemTime(NOON);
  clock.heard(NOON, NOON);
});
afterEach(() => vi.useRealTimers());

/** How far the clock is ahead of the phone's, in seconds. */
const ahead = () => Math.floor((clock.exact - Date.now()) / 1000);

it("is the phone's as long as nothing contradicts it", () => {
  clock.heard(NOON - 1000, NOON);
  expect(clock.exact).toBe(NOON);
});

it("is the service's where the phone's is wrong by an hour, and the phone's again once that was put right", () => {
  clock.heard(NOON + HOUR, NOON);
  expect(ahead()).toBe(3600);
  vi.setSystemTime(NOON + HOUR);
  clock.heard(NOON + HOUR, NOON + HOUR);
  expect(ahead()).toBe(0);
});

it("does not jump because an answer took ten seconds", () => {
  clock.heard(NOON + HOUR, NOON);
  vi.setSystemTime(NOON + 10_000);
  // Given at once, and on its way ever since.
  clock.heard(NOON + HOUR, NOON);
  expect(ahead()).toBe(3600);
  // Asked for slowly, and given just now.
  clock.heard(NOON + HOUR + 10_000, NOON);
  expect(ahead()).toBe(3600);
});
