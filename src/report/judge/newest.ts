import type { RunSpec } from "../../record/spec.ts";

/**
 * Whether a spec is shown: of each protocol the newest recipe version alone, and in it of each quantizer the newest revision.
 * What the code has changed since then is kept and counted, and never averaged with what it computes now.
 *
 * @param specs All that there is, trials on held-out images apart.
 */
export function newestOnly(specs: readonly RunSpec[]): (spec: RunSpec) => boolean {
  const versions = new Map<string, number>(), revisions = new Map<string, number>();
  const raise = (map: Map<string, number>, key: string, value: number) =>
    map.set(key, Math.max(map.get(key) ?? 0, value));
  for (const { protocol, recipe } of specs) raise(versions, protocol, recipe.version);
  const isNewest = ({ protocol, recipe }: RunSpec) => recipe.version === versions.get(protocol);
  for (const spec of specs.filter(isNewest)) raise(revisions, quantizerKey(spec), specRevision(spec));
  return (spec) => isNewest(spec) && specRevision(spec) === revisions.get(quantizerKey(spec));
}

function quantizerKey({ protocol, quantization }: RunSpec): string {
  return `${protocol} ${quantization?.quantizer ?? ""}`;
}

/** The revision of its quantizer that a spec asks for; 1 in full precision. */
export function specRevision({ quantization }: RunSpec): number {
  return quantization?.quantizerRevision ?? 1;
}
