/**
 * Revisions of quantizers: raised when the code changes what runs with a quantizer compute, and no other run. Those that are
 * not here have their first. Apart from the quantizers, as reports read it and compute nothing.
 */
const REVISIONS: Readonly<Record<string, number>> = {
  // step sizes below 0 change their sign, and are no longer cut
  lsq_asymmetric: 2,
};

/** Quantizers that have a later revision than their first. */
export const REVISED: readonly string[] = Object.keys(REVISIONS);

/** The revision that the code has of the quantizer `name`. */
export function revisionOf(name: string): number {
  return REVISIONS[name] ?? 1;
}

/** What a spec says of a quantizer beside its name: nothing of a first revision, so that older specs keep their ids. */
export function revisionField(name: string): { quantizerRevision?: number } {
  const revision = revisionOf(name);
  return revision === 1 ? {} : { quantizerRevision: revision };
}
