/**
 * Statistics of runs over seeds: means, intervals and tests of paired differences. All functions are pure.
 *
 * @example Compare two arms over the seeds that both have
 * ```ts
 * import { holm, pairedDifference } from "@requant/requant/statistics";
 * import assert from "node:assert/strict";
 *
 * const lsq = [84.6, 84.9, 84.3], sam = [85.1, 85.6, 84.9];
 * const { mean, interval, tTestP } = pairedDifference(
 *   sam.map((top1, seed) => ({ seed, difference: top1 - lsq[seed]! })),
 * );
 * assert.equal(mean.toFixed(2), "0.60");
 * assert.ok(interval!.low > 0, "the gain is above 0 at 95 %");
 * assert.deepEqual(holm([tTestP, 0.5]), [tTestP! * 2, 0.5]);
 * ```
 * @module
 */
export { type Interval, mean, standardDeviation } from "./basics.ts";
export { bcaInterval, type BootstrapInterval } from "./bootstrap.ts";
export { holm, type PairedDifference, pairedDifference, type SeedDifference, signFlipP } from "./paired.ts";
export { predictionInterval, type Sample, tInterval, tTestP } from "./student.ts";
export {
  interquartileMean,
  probabilityOfImprovement,
  type SuiteSummary,
  suiteSummary,
  type TaskScores,
} from "./suite.ts";
