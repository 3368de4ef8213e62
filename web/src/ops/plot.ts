// The two plots of the sales: what was sold in all, and a minute, with what was held. They share their time and their cursor.
import uPlot from "uplot";
import { locale } from "../app/i18n/index.svelte";
import { numbers, times } from "../intl";
import type { Plotted } from "./minutes";

export interface Labels {
  total: string;
  sold: string;
  held: string;
}

interface Colors {
  text: string;
  line: string;
  accent: string;
  soft: string;
  held: string;
}

/** The page's colours now: a canvas does not follow variables by itself. */
function colors(element: Element): Colors {
  const style = getComputedStyle(element);
  const of = (name: string) => style.getPropertyValue(name).trim();
  return { text: of("--text-2"), line: of("--line"), accent: of("--accent"), soft: of("--accent-soft"), held: of("--warn") };
}

function axes({ text, line }: Colors): uPlot.Axis[] {
  const day = times(locale(), { day: "numeric", month: "short" });
  const time = times(locale(), { hour: "numeric", minute: "2-digit" });
  const font = "12px system-ui, sans-serif";
  const grid = { stroke: line, width: 1 };
  return [
    {
      stroke: text,
      font,
      grid: { show: false },
      ticks: { stroke: line, width: 1, size: 4 },
      size: 28,
      values: (_, splits) =>
        splits.map((at) => {
          const date = new Date(at * 1000);
          return date.getHours() === 0 && date.getMinutes() === 0 ? day.format(date) : time.format(date);
        }),
    },
    {
      stroke: text,
      font,
      grid,
      ticks: { show: false },
      size: 48,
      // Seats come in whole ones.
      incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000],
      values: (_, splits) => splits.map((value) => numbers(locale(), { notation: "compact" }).format(value)),
    },
  ];
}

const fromZero = (_: uPlot, __: number, most: number): [number, number] => [0, Math.max(4, Math.ceil(most * 1.1))];

export class Plots {
  #plots: uPlot[] = [];
  readonly #observer: ResizeObserver;
  readonly #above: HTMLElement;
  readonly #below: HTMLElement;

  constructor(above: HTMLElement, below: HTMLElement) {
    this.#above = above;
    this.#below = below;
    this.#observer = new ResizeObserver(() => this.#fit());
    this.#observer.observe(above);
  }

  /** Makes them anew: at first, in other colours, in another language. */
  make(labels: Labels, data: Plotted): void {
    this.#clear();
    const look = colors(this.#above);
    const shared = {
      width: this.#above.clientWidth,
      legend: { show: false },
      cursor: { sync: { key: "sales" }, points: { show: false }, drag: { x: false, y: false } },
      padding: [10, 8, 0, 0],
      // A minute is as wide as a bar: the last one has its place too.
      scales: { x: { time: true, range: (_, from, to) => [from, to + 60] }, y: { range: fromZero } },
    } satisfies Partial<uPlot.Options>;
    const total = { label: labels.total, stroke: look.accent, fill: look.soft, width: 2, points: { show: false } };
    const bars = uPlot.paths.bars?.({ size: [0.7, 24], align: 1 });
    const sold = {
      label: labels.sold,
      stroke: look.accent,
      fill: look.accent,
      width: 0,
      points: { show: false },
      ...(bars && { paths: bars }),
    };
    const held = { label: labels.held, stroke: look.held, width: 1.5, points: { show: false } };
    this.#plots = [
      new uPlot({ ...shared, height: 150, axes: axes(look), series: [{}, total] }, above(data), this.#above),
      new uPlot({ ...shared, height: 115, axes: axes(look), series: [{}, sold, held] }, below(data), this.#below),
    ];
  }

  show(data: Plotted): void {
    this.#plots[0]?.setData(above(data));
    this.#plots[1]?.setData(below(data));
  }

  end(): void {
    this.#observer.disconnect();
    this.#clear();
  }

  #fit(): void {
    for (const plot of this.#plots) plot.setSize({ width: this.#above.clientWidth, height: plot.height });
  }

  #clear(): void {
    for (const plot of this.#plots) plot.destroy();
    this.#plots = [];
  }
}

const above = ({ times, total }: Plotted): uPlot.AlignedData => [times, total];
const below = ({ times, sold, held }: Plotted): uPlot.AlignedData => [times, sold, held];
