import type { Arm } from "../src/catalog/paper.ts";

/** Full precision: the teacher and starting point of every other arm, shared by all papers. */
export const FP: Arm = {
  id: "fp",
  title: "Full precision",
  label: null,
  method: { name: "fp", options: {} },
  quantizer: null,
  start: null,
};

/**
 * Reference: full precision that goes on from full precision by the recipe of the quantized arms. They have more epochs than
 * what they start from; it tells what those alone are worth.
 */
export const FP_TRAINED_ON: Arm = {
  ...FP,
  id: "fp_trained_on",
  title: "Full precision, trained on as long (reference)",
  start: FP,
};

/** Plain training on a quantizer, from the full-precision weights of the same seed. */
function plain(quantizer: string, title: string): Arm {
  return { id: quantizer, title, label: null, method: { name: "qat", options: {} }, quantizer, start: FP };
}

/** LSQ (Esser et al. 2020, arXiv:1902.08153). */
export const LSQ = plain("lsq", "LSQ");

/** PACT (Choi et al. 2018, arXiv:1805.06085): its own activations, DoReFa's weights. */
export const PACT = plain("pact", "PACT");

/** LSQ+ (Bhalgat et al. 2020, arXiv:2004.09576): LSQ with a learned offset of activations. */
export const LSQ_PLUS = plain("lsq_plus", "LSQ+");

/** FPQ's own base quantizer without FPQ: tells what the quantizer adds from what the method adds. */
export const LSQ_ASYMMETRIC = plain("lsq_asymmetric", "LSQ, asymmetric (FPQ's own quantizer, no FPQ)");

/** DoReFa (Zhou et al. 2016, arXiv:1606.06160): weights by tanh, activations clipped to [0, 1]. */
export const DOREFA = plain("dorefa", "DoReFa");
