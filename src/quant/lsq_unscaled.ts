import type { Leaves } from "../tree.ts";
import type { Tensor } from "@tensorflow/tfjs-core";
import { lsq, lsqBounds } from "./lsq.ts";
import { gradientScale, scaleGradient, STEP_SIZE } from "./step_size.ts";
import type { QuantizedTensorOptions, Quantizer } from "./types.ts";

/**
 * LSQ without its gradient scale g = 1 / sqrt(N Q_P): the gradient of a step size is the sum of Eq. 3 as it is.
 *
 * A control of known truths. Section 2.2 says that training needs g, so a stack in which this trains as well as LSQ would not
 * compute LSQ. Equal to `lsq` in every value: the gradient that comes out of it is divided by g.
 *
 * @see Esser et al., ICLR 2020, arXiv:1902.08153, section 2.2
 */
export const lsqUnscaled: Quantizer = {
  ...lsq,
  name: "lsq_unscaled",
  weight(options) {
    const made = lsq.weight(options);
    const unscaled = (weight: Tensor, own: Leaves<Tensor>) =>
      withoutScale(own, { ...options, signed: true, count: weight.size / own[STEP_SIZE]!.size });
    return {
      ...made,
      apply: (weight, own) => made.apply(weight, unscaled(weight, own)),
      levels: (weight, own) => made.levels(weight, unscaled(weight, own)),
    };
  },
  activation(options) {
    const made = lsq.activation(options);
    return {
      ...made,
      inverseStep: (own, size) => made.inverseStep(withoutScale(own, { ...options, count: size }), size),
      quantizeScaled: (scaled, own) =>
        made.quantizeScaled(scaled, withoutScale(own, { ...options, count: scaled.size })),
    };
  },
};

/** The tensors of a quantizer with a step size whose gradient is divided by g. */
function withoutScale(
  own: Leaves<Tensor>,
  { count, ...options }: QuantizedTensorOptions & { readonly count: number },
): Leaves<Tensor> {
  const highest = Math.max(lsqBounds(options).high, 1);
  return { ...own, [STEP_SIZE]: scaleGradient(own[STEP_SIZE]!, 1 / gradientScale(count, highest)) };
}
