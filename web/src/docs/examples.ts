// Examples of a document are filled in where one tries. What names a request has to be another one each time: a key that was
// sent before gives the answer of before, or 422.

const NAMES = new Set(["idempotency-key", "x-correlation-id"]);

/** The document without examples of these headers, wherever it describes them. */
export function withoutKeys(spec: unknown): unknown {
  if (Array.isArray(spec)) return spec.map(withoutKeys);
  if (typeof spec !== "object" || spec === null) return spec;
  const parts: [string, unknown][] = Object.entries(spec);
  const isKey = "in" in spec && spec.in === "header" && "name" in spec && NAMES.has(String(spec.name).toLowerCase());
  const kept = isKey ? parts.filter(([name]) => name !== "example" && name !== "examples") : parts;
  return Object.fromEntries(kept.map(([name, part]) => [name, withoutKeys(part)]));
}
