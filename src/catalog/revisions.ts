/** Revisions of quantizers: raised when the code changes what runs with this quantizer alone compute. Left out: 1. */
const REVISIONS: Readonly<Record<string, number>> = {
  // step sizes below 0 change their sign, and are no longer cut
  lsq_asymmetric: 2,
};

/** Quantizers that have a later revision than their first. */
export const REVISED: readonly string[] = Object.keys(REVISIONS);

/** Looks up the revision of a quantizer. */
export function revisionOf(name: string): number {
  return REVISIONS[name] ?? 1;
}

/** Makes the field of a spec: none for a first revision, so that older specs keep their ids. */
export function revisionField(name: string): { quantizerRevision?: number } {
  const revision = revisionOf(name);
  return revision === 1 ? {} : { quantizerRevision: revision };
}
