// The browser's formats of numbers, times and plurals, each made once: to make one takes a thousand times as long as to use it.

const kept = new Map<string, unknown>();

function once<T>(kind: string, locale: string, options: object, make: () => T): T {
  const key = `${kind} ${locale} ${JSON.stringify(options)}`;
  const known = kept.get(key) as T | undefined;
  if (known !== undefined) return known;
  const made = make();
  kept.set(key, made);
  return made;
}

export function numbers(locale: string, options: Intl.NumberFormatOptions = {}): Intl.NumberFormat {
  return once("number", locale, options, () => new Intl.NumberFormat(locale, options));
}

export function times(locale: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  return once("time", locale, options, () => new Intl.DateTimeFormat(locale, options));
}

export function lists(locale: string): Intl.ListFormat {
  return once("list", locale, {}, () => new Intl.ListFormat(locale, { type: "conjunction" }));
}

/** The order of texts, numbers in them by their value. */
export function order(): Intl.Collator {
  return once("order", "en", {}, () => new Intl.Collator("en", { numeric: true }));
}

export function plurals(language: string): Intl.PluralRules {
  return once("plural", language, {}, () => new Intl.PluralRules(language));
}

/** A language as pages of others write it, as the browser takes it: `en_US` is none to it, and an error. */
export function languageOf(text: string): string {
  try {
    return Intl.getCanonicalLocales(text.trim().replaceAll("_", "-"))[0] ?? "en";
  } catch {
    return "en";
  }
}

/** How many of its smallest unit a currency is: 100 cents are one EUR, JPY has nothing smaller. */
export function minorUnit(currency: string): number {
  return once("unit", "en", { currency }, () => {
    const format = new Intl.NumberFormat("en", { style: "currency", currency });
    return 10 ** (format.resolvedOptions().maximumFractionDigits ?? 2);
  });
}
