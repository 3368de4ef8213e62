// Where the reader is: one page, told by its query. `/` lists shows, `/?event=ID` is one, `/?tickets` are one's own, `/?tickets=ID` is one of them.
import { announce } from "./announce.svelte";

export type Route = { page: "list" } | { page: "show"; eventId: string } | { page: "tickets"; reservationId?: string };

export function routeOf(search: string): Route {
  const query = new URLSearchParams(search);
  const eventId = query.get("event");
  if (eventId) return { page: "show", eventId };
  if (!query.has("tickets")) return { page: "list" };
  const reservationId = query.get("tickets");
  return reservationId ? { page: "tickets", reservationId } : { page: "tickets" };
}

export const links = {
  list: "/",
  show: (eventId: string) => `/?event=${encodeURIComponent(eventId)}`,
  tickets: (reservationId?: string) =>
    reservationId === undefined ? "/?tickets" : `/?tickets=${encodeURIComponent(reservationId)}`,
};

class Router {
  /** The reader went somewhere, and the page there has not said its name. */
  #isGoing = false;
  current = $state.raw<Route>(routeOf(typeof location === "undefined" ? "" : location.search));

  start(): void {
    addEventListener("popstate", () => this.#move());
  }

  go(href: string): void {
    history.pushState(null, "", href);
    this.#move();
    scrollTo(0, 0);
  }

  #move(): void {
    this.#isGoing = true;
    this.current = routeOf(location.search);
  }

  /** Of a page's main part: whoever came here by a link goes on from its beginning. */
  arrive = (main: HTMLElement): void => {
    if (this.#isGoing) main.focus({ preventScroll: true });
  };

  /** Of a page that knows its name: whoever came here by a link hears it. */
  named(title: string): void {
    if (this.#isGoing) announce(title);
    this.#isGoing = false;
  }

  /** Of links: a plain click stays on the page, everything else is the browser's. */
  follow = (event: MouseEvent & { currentTarget: HTMLAnchorElement }): void => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    this.go(event.currentTarget.getAttribute("href") ?? "/");
  };
}

export const router = new Router();
