// How many seats of each section are what, kept up to date seat by seat.
import type { Section, Status } from "./chart";

export interface SectionCounts {
  sectionId: string;
  available: number;
  held: number;
  reserved: number;
  blocked: number;
}

export class Tally {
  /** Four numbers a section. */
  readonly #numbers: Int32Array;

  constructor(
    readonly sections: readonly Pick<Section, "id" | "first" | "count">[],
    statuses?: Uint8Array,
  ) {
    this.#numbers = new Int32Array(sections.length * 4);
    if (!statuses) return;
    sections.forEach(({ first, count }, section) => {
      for (let place = first; place < first + count; place++) this.#numbers[section * 4 + statuses[place]!]!++;
    });
  }

  change(section: number, from: Status, to: Status): void {
    this.#numbers[section * 4 + from]!--;
    this.#numbers[section * 4 + to]!++;
  }

  /** How many of a section have a status. */
  of(section: number, status: Status): number {
    return this.#numbers[section * 4 + status]!;
  }

  counts(): SectionCounts[] {
    return this.sections.map(({ id }, section) => {
      const [available, held, reserved, blocked] = this.#numbers.subarray(section * 4, section * 4 + 4);
      return { sectionId: id, available: available!, held: held!, reserved: reserved!, blocked: blocked! };
    });
  }
}
