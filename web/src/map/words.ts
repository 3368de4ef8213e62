// What the map itself says, in the languages of the page. The map is used on pages of others, too, so it carries its own words.
import { languageOf, minorUnit, numbers } from "../intl";

export interface MapWords {
  map: string;
  zoomIn: string;
  zoomOut: string;
  fit: string;
  legend: string;
  /** In capitals on the stage. */
  stage: string;
  row: string;
  seat: string;
  left: string;
  soldOut: string;
  /** AVAILABLE, HELD, RESERVED, BLOCKED. */
  statuses: readonly [string, string, string, string];
  chosen: string;
  mine: string;
  lost: string;
  area: string;
  sold: string;
}

const en: MapWords = {
  map: "Seat map: drag to move, plus and minus to zoom, arrows to pan",
  zoomIn: "Zoom in",
  zoomOut: "Zoom out",
  fit: "Show everything",
  legend: "Prices and signs",
  stage: "Stage",
  row: "Row {row}",
  seat: "seat {number}",
  left: "{count} left",
  soldOut: "Sold out",
  statuses: ["Available", "On hold", "Taken", "Not for sale"],
  chosen: "Chosen",
  mine: "Yours",
  lost: "Just taken",
  area: "Standing",
  sold: "sold",
};

const de: MapWords = {
  map: "Saalplan: ziehen verschiebt, Plus und Minus ändern die Größe, Pfeile verschieben",
  zoomIn: "Vergrößern",
  zoomOut: "Verkleinern",
  fit: "Alles zeigen",
  legend: "Preise und Zeichen",
  stage: "Bühne",
  row: "Reihe {row}",
  seat: "Platz {number}",
  left: "{count} frei",
  soldOut: "Ausverkauft",
  statuses: ["Frei", "In einem Warenkorb", "Vergeben", "Nicht im Verkauf"],
  chosen: "Gewählt",
  mine: "Ihr Platz",
  lost: "Gerade vergeben",
  area: "Stehplätze",
  sold: "verkauft",
};

export function wordsFor(language: string): MapWords {
  return language.startsWith("de") ? de : en;
}

/** An amount in the smallest unit of its currency, as money. */
export function moneyOf(amount: number, currency: string, language: string): string {
  const value = amount / minorUnit(currency);
  const short = Number.isInteger(value) ? { minimumFractionDigits: 0 } : {};
  return numbers(language, { style: "currency", currency, ...short }).format(value);
}

/** Tells the language that an element stands in, now and when that changes. In a shadow the host says it before the page does. */
export function languageAround(element: Element, tell: (language: string) => void): () => void {
  const root = element.getRootNode();
  const hosts = [root instanceof ShadowRoot ? root.host : undefined, document.documentElement].filter((host) => host !== undefined);
  const say = () => tell(languageOf(hosts.map((host) => host.getAttribute("lang")).find(Boolean) ?? (navigator.language || "en")));
  const watch = new MutationObserver(say);
  for (const host of hosts) watch.observe(host, { attributeFilter: ["lang"] });
  say();
  return () => watch.disconnect();
}
