import { lsqPlus } from "./lsq_plus.ts";
import type { Quantizer } from "./types.ts";

/**
 * LSQ+ from a simpler start: activations at s = (x_max - x_min) / (2^b - 1), β = x_min, the range of the calibration images.
 *
 * It shows what the search for the least squared error is worth; all else is `lsq_plus`.
 *
 * @see Bhalgat et al., CVPR Workshops 2020, arXiv:2004.09576
 */
export const lsqPlusRange: Quantizer = {
  ...lsqPlus,
  name: "lsq_plus_range",
  activation(options) {
    const made = lsqPlus.activation(options);
    return { ...made, startsFromValues: false, start: ({ values: _, ...range }) => made.start(range) };
  },
};
