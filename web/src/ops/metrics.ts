// What operators look at in the text that Prometheus reads: how far consumers are behind, and what waits or was set aside.

interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

export interface Consumer {
  handler: string;
  /** Records that it has not read yet, as far as it is known. */
  lag: number;
  retries: number;
  /** Aggregates whose effects were set aside, where it has any. */
  parked: number;
  /** The other side is away or wants no more. */
  isClosed: boolean;
}

/** Lines that cannot be read are left out: they are for others. */
export function samples(text: string): Sample[] {
  return text.split("\n").flatMap((line) => {
    const parts = /^(\w+)(?:\{(.*)\})? (\S+)/.exec(line);
    if (parts === null) return [];
    const labels = [...(parts[2] ?? "").matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, name, value]) => [name, value]);
    return [{ name: parts[1] ?? "", labels: Object.fromEntries(labels) as Record<string, string>, value: Number(parts[3]) }];
  });
}

/**
 * The consumers of this process. Where none tells its lag, as in one process, it is how far one is behind the one that has
 * read furthest of the same partition.
 */
export function consumers(text: string): Consumer[] {
  const all = samples(text);
  const of = (name: string) => all.filter((sample) => sample.name === `boxoffice_${name}`);
  const partition = ({ labels }: Sample) => `${labels.topic}/${labels.partition}`;
  const next = of("consumer_next_offset");
  const ends = new Map<string, number>();
  for (const sample of next) ends.set(partition(sample), Math.max(ends.get(partition(sample)) ?? 0, sample.value));
  const told = of("consumer_lag");
  const handlers = [...new Set([...next, ...told].map(({ labels }) => labels.handler ?? ""))].filter(Boolean).sort();
  return handlers.map((handler) => {
    const sum = (of: Sample[], value = (sample: Sample) => sample.value) =>
      of.filter(({ labels }) => labels.handler === handler).reduce((total, sample) => total + value(sample), 0);
    return {
      handler,
      lag: told.length > 0 ? sum(told) : sum(next, (sample) => (ends.get(partition(sample)) ?? 0) - sample.value),
      retries: sum(of("consumer_retries_total")),
      parked: sum(of("effects_parked_total")),
      isClosed: sum(of("effects_closed")) > 0,
    };
  });
}
