import { canonicalJson } from "../src/record/spec.ts";
import type { Arm } from "../src/catalog/grid.ts";

/** Full precision: the teacher and starting point of every other arm, shared by all papers. */
export const FP = {
  id: "fp",
  method: { name: "fp", options: {} },
  quantizer: null,
  fromTeacher: false,
} as const satisfies Arm;

/**
 * Reference: full precision that goes on from full precision by the recipe of the quantized arms. They have more epochs than
 * what they start from; it tells what those alone are worth.
 */
export const FP_TRAINED_ON = {
  id: "fp_trained_on",
  method: FP.method,
  quantizer: null,
  fromTeacher: true,
} as const satisfies Arm;

/** LSQ (Esser et al. 2020, arXiv:1902.08153) from the full-precision weights of the same seed, shared by all papers. */
export const LSQ = {
  id: "lsq",
  method: { name: "qat", options: {} },
  quantizer: "lsq",
  fromTeacher: true,
} as const satisfies Arm;

/** PACT (Choi et al. 2018, arXiv:1805.06085): its own activations, DoReFa's weights. */
export const PACT = {
  id: "pact",
  method: { name: "qat", options: {} },
  quantizer: "pact",
  fromTeacher: true,
} as const satisfies Arm;

/** LSQ+ (Bhalgat et al. 2020, arXiv:2004.09576): LSQ with a learned offset of activations. */
export const LSQ_PLUS = {
  id: "lsq_plus",
  method: { name: "qat", options: {} },
  quantizer: "lsq_plus",
  fromTeacher: true,
} as const satisfies Arm;

/** All of an arm but its name and quantizer. */
function substance(arm: Arm): string {
  return canonicalJson({ ...arm, id: null, quantizer: null });
}

/**
 * The arm on another quantizer. Its id says so, as `fpq@pact`, so that its runs fill no cell of a paper; plain training is
 * `qat@dorefa`. Where one of `known` is just that, it is this one: LSQ on `pact` is the arm PACT. Full precision stays.
 */
export function onQuantizer(arm: Arm, quantizer: string, known: readonly Arm[]): Arm {
  if (arm.quantizer === null) return arm;
  const same = known.find((other) => other.quantizer === quantizer && substance(other) === substance(arm));
  if (same) return same;
  const base = substance(arm) === substance(LSQ) ? "qat" : arm.id;
  return { ...arm, id: `${base}@${quantizer}`, quantizer };
}
