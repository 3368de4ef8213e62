// Colours and fonts of the map, read from the page's custom properties, so that it is light and dark as the page is.

export interface Look {
  dark: boolean;
  ground: string;
  plate: string;
  line: string;
  text: string;
  muted: string;
  held: string;
  reserved: string;
  blocked: string;
  mine: string;
  accent: string;
  bad: string;
  field: string;
  font: string;
  /** Of each price category of the chart. */
  categories: string[];
}

/** Where the page defines none (tests, other pages). */
const LIGHT: Record<string, string> = {
  "--surface": "#ffffff",
  "--surface-2": "#eeeef5",
  "--line": "#dfdfe9",
  "--text": "#15161f",
  "--text-2": "#575a6b",
  "--seat-held": "#b9bac8",
  "--seat-reserved": "#d9dae4",
  "--seat-blocked": "#e9e9f0",
  "--seat-mine": "#15161f",
  "--accent": "#4a3ddb",
  "--bad": "#b3261e",
};

export function lookOf(element: Element, categories: string[]): Look {
  const style = getComputedStyle(element);
  const value = (name: string) => style.getPropertyValue(name).trim() || LIGHT[name]!;
  const ground = value("--surface");
  const dark = luminance(ground) < 0.4;
  return {
    dark,
    ground,
    plate: mix(ground, value("--surface-2"), dark ? 0.55 : 0.5),
    line: value("--line"),
    text: value("--text"),
    muted: value("--text-2"),
    held: value("--seat-held"),
    reserved: value("--seat-reserved"),
    blocked: value("--seat-blocked"),
    mine: value("--seat-mine"),
    accent: value("--accent"),
    bad: value("--bad"),
    field: dark ? "#16241d" : "#e6f3ea",
    font: style.fontFamily || "system-ui, sans-serif",
    categories,
  };
}

/** Red, green and blue of `#rgb` or `#rrggbb`. */
export function rgb(color: string): [number, number, number] {
  const hex = color.startsWith("#") ? color.slice(1) : "808080";
  const long = hex.length === 3 ? [...hex].map((digit) => digit + digit).join("") : hex;
  const number = Number.parseInt(long.slice(0, 6), 16);
  return [(number >> 16) & 255, (number >> 8) & 255, number & 255];
}

/** `share` of `b` in `a`. */
export function mix(a: string, b: string, share: number): string {
  const [from, to] = [rgb(a), rgb(b)];
  const mixed = from.map((value, at) => Math.round(value + (to[at]! - value) * share));
  return `#${mixed.map((value) => value.toString(16).padStart(2, "0")).join("")}`;
}

/** From 0, black, to 1, white. */
export function luminance(color: string): number {
  const [r, g, b] = rgb(color).map((value) => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
}

/** What can be read on a colour: white, or nearly black where that has more contrast. */
export function inkOn(color: string): string {
  const light = luminance(color);
  return 1.05 / (light + 0.05) >= (light + 0.05) / 0.058 ? "#ffffff" : "#14151d";
}

/** How much of a section is sold, as a colour: from nothing over amber to red. */
export function heatOf(share: number, look: Look): string {
  const cold = mix(look.ground, "#3b82c4", look.dark ? 0.3 : 0.22);
  const [warm, hot] = look.dark ? ["#c98a1b", "#e5484d"] : ["#f2b138", "#cf2f45"];
  return share < 0.5 ? mix(cold, warm, share * 2) : mix(warm, hot, share * 2 - 1);
}
