// The custom element <box-office-map>: a seat map that one can buy from, for pages of others. Described in web/README.md.
//
//   <script type="module" src="https://tickets.example.com/embed.js"></script>
//   <box-office-map event="arena-night"></box-office-map>
import { mount, unmount } from "svelte";
import theme from "../app/theme.css?inline";
import map from "../map/map.css?inline";
import { languageOf } from "../intl";
import { EmbeddedSale, type Chosen, type Told } from "./sale.svelte";
import Embed from "./Embed.svelte";
import embed from "./embed.css?inline";
import { options } from "./options.svelte";

/** Where this script came from: there the show is, if the element does not say otherwise. */
const OWN_ORIGIN = new URL(import.meta.url).origin;

let sheet: CSSStyleSheet | undefined;

/** Made once; adopted sheets are allowed by every content security policy. */
function styles(): CSSStyleSheet {
  if (!sheet) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(`${theme.replaceAll(":root", ":host")}\n${map}\n${embed}`);
  }
  return sheet;
}

export class BoxOfficeMap extends HTMLElement {
  static readonly observedAttributes = ["event", "src", "max", "lang", "bare", "user"];

  #sale: EmbeddedSale | undefined;
  #mounted: ReturnType<typeof mount> | undefined;
  readonly #options = options();
  /** Sent with commands as a bearer token (auth.mode jwt). It may be replaced at any time. */
  token: string | undefined;

  /** What is chosen now. */
  get chosen(): Chosen | undefined {
    return this.#sale?.choice();
  }

  /** Holds what is chosen; the event `held` tells the same. Nothing where it was refused: see `problem` and `conflict`. */
  hold(): Promise<Told["held"] | undefined> {
    return this.#sale?.holdChosen() ?? Promise.resolve(undefined);
  }

  /** Reserves what is held; the event `reserved` tells the same. */
  reserve(): Promise<Told["reserved"] | undefined> {
    return this.#sale?.reserve() ?? Promise.resolve(undefined);
  }

  /** Gives back what is held. */
  release(): Promise<void> {
    return this.#sale?.release() ?? Promise.resolve();
  }

  connectedCallback(): void {
    if (!this.shadowRoot) this.attachShadow({ mode: "open" }).adoptedStyleSheets = [styles()];
    this.#readOptions();
    this.#begin();
  }

  disconnectedCallback(): void {
    this.#end();
  }

  attributeChangedCallback(name: string, before: string | null, now: string | null): void {
    if (!this.isConnected || before === now) return;
    this.#readOptions();
    if (name === "event" || name === "src") {
      this.#end();
      this.#begin();
    }
  }

  #readOptions(): void {
    const most = Number(this.getAttribute("max") ?? Number.NaN);
    this.#options.max = Number.isInteger(most) && most > 0 ? most : undefined;
    this.#options.language = languageOf(this.getAttribute("lang") || document.documentElement.lang || navigator.language || "en");
    this.#options.bare = this.hasAttribute("bare");
  }

  #begin(): void {
    const eventId = this.getAttribute("event");
    if (!eventId || !this.shadowRoot) return;
    const sale: EmbeddedSale = new EmbeddedSale({
      base: (this.getAttribute("src") ?? OWN_ORIGIN).replace(/\/$/, ""),
      eventId,
      max: () => this.#options.max ?? sale.show.summary?.limits?.seatsPerUser ?? 10,
      headers: () => this.#headers(),
      tell: (name, detail) => this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true })),
    });
    this.#sale = sale;
    sale.start();
    const props = { sale, options: this.#options };
    this.#mounted = mount(Embed, { target: this.shadowRoot, props });
  }

  #end(): void {
    if (this.#mounted) void unmount(this.#mounted);
    this.#sale?.stop();
    this.#mounted = undefined;
    this.#sale = undefined;
  }

  /** Who asks: the token's subject, a name on a page of the same origin, else whoever a gateway's cookie says. */
  #headers(): Record<string, string> {
    if (this.token) return { authorization: `Bearer ${this.token}` };
    const user = this.getAttribute("user");
    return user ? { "x-user-id": user } : {};
  }
}

if (!customElements.get("box-office-map")) customElements.define("box-office-map", BoxOfficeMap);

declare global {
  interface HTMLElementTagNameMap {
    "box-office-map": BoxOfficeMap;
  }
}
