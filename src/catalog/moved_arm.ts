import { canonicalJson } from "../record/spec.ts";
import type { Arm } from "./paper.ts";
import type { Suite } from "./suite.ts";

/** Between an arm and the quantizer that it was moved to: `fpq@pact`. */
const MARK = "@";

/** Id in place of the baseline's, once it is moved: `qat@dorefa` is plain training on DoReFa. */
const PLAIN = "qat";

/** Joins all of an arm that its runs depend on, but its name and quantizer. */
function substance({ method, start, tuned, labelledFraction: fraction, recipe }: Arm): string {
  const rest = { tuned: tuned ?? null, fraction: fraction ?? null, recipe: recipe ?? null };
  return canonicalJson({ method, start: start?.id ?? null, ...rest });
}

/**
 * Puts an arm on another quantizer. Its id says so, as `fpq@pact`, so that its runs fill no cell of a paper. An arm of a
 * paper that is just that is taken instead: LSQ on `pact` is the arm PACT. Full precision stays as it is.
 */
export function onQuantizer(
  arm: Arm,
  { quantizer, suite: { papers, baseline } }: { readonly quantizer: string; readonly suite: Suite },
): Arm {
  if (arm.quantizer === null) return arm;
  const known = papers.flatMap(({ arms }) => arms);
  const same = known.find((other) => other.quantizer === quantizer && substance(other) === substance(arm));
  if (same) return same;
  const isPlain = substance(arm) === substance(baseline);
  return {
    ...arm,
    id: `${isPlain ? PLAIN : arm.id}${MARK}${quantizer}`,
    title: `${isPlain ? "Plain training" : arm.title}, on quantizer ${quantizer}`,
    quantizer,
  };
}

/** Splits the id of a moved arm into the arm that was moved and the quantizer. Null: no such id. */
export function movedFrom(id: string, baseline: string): { readonly base: string; readonly quantizer: string } | null {
  const [base, quantizer] = id.split(MARK);
  return base && quantizer ? { base: base === PLAIN ? baseline : base, quantizer } : null;
}
