/** Learned parameters of quantizers by their last name, and what the optimizer must know of them. */
import { STEP_SIZE } from "./step_size.ts";

/** PACT's α: where activations are clipped. */
export const CLIPPING_LEVEL = "clipping_level";

/** LSQ+'s β: what the lowest integer stands for. */
export const OFFSET = "offset";

/** Kept at or above `SMALLEST_STEP_SIZE`: all that is divided by. */
export const POSITIVE_PARAMETERS: readonly string[] = [STEP_SIZE, CLIPPING_LEVEL];

/** Without a gradient until a value is clipped, so a first training step may leave them as they are. */
export const PARAMETERS_MOVED_BY_CLIPPING: readonly string[] = [OFFSET];

/** In units of the step size, such as a learned zero point; all others have the unit of the values. */
export const PARAMETERS_IN_STEPS: readonly string[] = [];

/** Weight decay acts on them: PACT's loss has an L2 regulariser of α. */
export const DECAYED_PARAMETERS: readonly string[] = [CLIPPING_LEVEL];
