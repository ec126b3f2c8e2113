/** Learned parameters of quantizers by their last name, and what the optimizer must know of them. */
import { STEP_SIZE } from "./step_size.ts";

/** PACT's α: where activations are clipped. */
export const CLIPPING_LEVEL = "clipping_level";

/** LSQ+'s β: what the lowest integer stands for. */
export const OFFSET = "offset";

/** Kept at or above `SMALLEST_STEP_SIZE`: all that is divided by. */
export const POSITIVE_PARAMETERS: readonly string[] = [STEP_SIZE, CLIPPING_LEVEL];

/** Weight decay acts on them: PACT's loss has an L2 regulariser of α. */
export const DECAYED_PARAMETERS: readonly string[] = [CLIPPING_LEVEL];
