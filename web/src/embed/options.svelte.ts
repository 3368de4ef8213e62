// What the element's attributes say, so that the map follows when they change.
export interface Options {
  /** How many may be chosen; the show's own limit where it is not given. */
  max: number | undefined;
  language: string;
  bare: boolean;
}

export function options(): Options {
  const made: Options = $state({ max: undefined, language: "en", bare: false });
  return made;
}
