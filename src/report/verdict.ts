import type { ProtocolName } from "../runs/spec.ts";
import { counted, points, signed } from "./labels.ts";
import { type PairedDifference, seedsNeeded, singleRunAllowance } from "./statistics.ts";
import type { ArmTitle, PublishedCell } from "./types.ts";

/** All verdicts, best first. */
export const VERDICTS = ["reproduced", "not_reproduced", "inconclusive", "not_comparable", "not_run"] as const;
export type VerdictName = typeof VERDICTS[number];

/** A verdict and why. */
export interface Verdict {
  readonly name: VerdictName;
  readonly reason: string;
}

/** What a verdict is made from. */
export interface Comparison {
  readonly protocol: ProtocolName;
  readonly arm: string;
  readonly label: ArmTitle["label"];
  /** Title of the model. */
  readonly model: string;
  /** Whether the paper's table has this model. */
  readonly modelIsPapers: boolean;
  /** The published cell; null: the paper has none for this row. */
  readonly published: PublishedCell | null;
  /** Published arm less published LSQ, in points; null: one of the two is not known. */
  readonly publishedDifference: number | null;
  /** Ended runs of the cell, of any status. */
  readonly runs: number;
  readonly done: number;
  /** Our arm less our LSQ over common seeds; null: no common seed of a like run. */
  readonly difference: PairedDifference | null;
}

/** Fewer seeds decide nothing. */
export const MINIMUM_SEEDS = 3;

/** The rules of `judge` in words, for print. */
export const VERDICT_RULES = [
  "Not run: the cell has no run",
  "Not comparable: protocol smoke or reduced, a reconstruction or stand-in, a model that is not the paper's, a published " +
  "number or difference to LSQ that is not known; the rows of full precision and LSQ, whose absolute accuracy depends on " +
  "stem and augmentation, which the papers leave open",
  "Otherwise D is the published difference to the published LSQ, [low, high] the 95 % interval of our difference to our LSQ, " +
  "paired by seed, and a the allowance for D being a single run: 1.96 times the standard deviation of our paired differences",
  "Reproduced, for D > 0: low > 0 and high >= D - a: our gain is sure and reaches the published one",
  "Not reproduced, for D > 0: high <= 0 (no gain) or high < D - a (a smaller gain)",
  "Inconclusive: fewer than 3 common seeds, no finished run, or any other interval; more seeds would decide",
  "For D < 0 all signs are turned",
] as const;

/**
 * Judges one row.
 *
 * First match counts (D > 0; for D < 0 all signs are turned first; a = 1.96 sd of our paired differences):
 *
 * | condition                                                   | verdict        |
 * |-------------------------------------------------------------|----------------|
 * | no run                                                      | not_run        |
 * | protocol smoke                                              | not_comparable |
 * | protocol reduced; reconstruction or stand-in; no published  |                |
 * | cell; published cell unknown; arm fp or lsq; D unknown or 0 | not_comparable |
 * | no run done; no like LSQ run of a common seed; n < 3        | inconclusive   |
 * | high <= 0 or high < D - a                                   | not_reproduced |
 * | low > 0                                                     | reproduced     |
 * | else                                                        | inconclusive   |
 */
export function judge(comparison: Comparison): Verdict {
  if (comparison.runs === 0) return { name: "not_run", reason: "no run of this cell" };
  const obstacles = obstaclesTo(comparison);
  if (obstacles.length > 0) return { name: "not_comparable", reason: obstacles.join("; ") };
  const verdict = judgeDifference(comparison);
  const lost = comparison.runs - comparison.done;
  if (lost === 0 || comparison.done === 0) return verdict;
  return {
    ...verdict,
    reason: `${verdict.reason}; ${lost} of ${comparison.runs} runs did not finish and are left out`,
  };
}

function obstaclesTo(comparison: Comparison): string[] {
  const { protocol, arm, label, model, modelIsPapers, published, publishedDifference } = comparison;
  if (protocol === "smoke") return ["smoke proves plumbing only"];
  const obstacles: string[] = [];
  if (protocol !== "paper") obstacles.push(`protocol ${protocol} is not the paper's recipe`);
  if (!modelIsPapers) obstacles.push(`${model} is not a model of the paper's table`);
  if (label !== null) {
    obstacles.push(label === "stand-in" ? "the method is a stand-in" : "the method is a reconstruction");
  }
  if (published === null) {
    if (modelIsPapers) obstacles.push("the paper has no such cell");
  } else if (published.top1Percent === null) {
    obstacles.push(`the published cell is unknown (${published.reason})`);
  } else if (arm === "fp" || arm === "lsq") {
    const role = arm === "fp"
      ? "full precision is what the others start from"
      : "LSQ is what the others are compared with";
    obstacles.push(`${role}: its absolute accuracy depends on stem and augmentation, which the paper does not state`);
  } else if (publishedDifference === null) {
    obstacles.push("the paper has no LSQ number for this cell");
  } else if (publishedDifference === 0) {
    obstacles.push("the published difference to LSQ is 0.00 and has no sign to test");
  }
  return obstacles;
}

function judgeDifference({ runs, done, difference, publishedDifference }: Comparison): Verdict {
  if (done === 0) return { name: "inconclusive", reason: `none of the ${runs} runs finished: run the cell again` };
  if (difference === null) {
    return { name: "inconclusive", reason: "no LSQ run of the same seed, recipe and engine: run LSQ too" };
  }
  const { n, sd, interval } = difference;
  if (n < MINIMUM_SEEDS || sd === null || interval === null) {
    return { name: "inconclusive", reason: `${counted(n, "common seed")}: ${more(MINIMUM_SEEDS - n)}` };
  }
  const claim = publishedDifference!;
  const sign = Math.sign(claim);
  const low = sign > 0 ? interval.low : -interval.high, high = sign > 0 ? interval.high : -interval.low;
  const target = Math.abs(claim) - singleRunAllowance(sd);
  const word = sign > 0 ? "gain" : "loss";
  const told = `published ${signed(claim)}, ours ${signed(difference.mean)} ` +
    `[${signed(interval.low)}, ${signed(interval.high)}]`;
  if (high <= 0) return { name: "not_reproduced", reason: `no ${word} over LSQ: ${told}` };
  if (high < target) return { name: "not_reproduced", reason: `a smaller ${word} over LSQ, if any: ${told}` };
  if (low > 0) return { name: "reproduced", reason: `${word} over LSQ of the published size: ${told}` };
  return { name: "inconclusive", reason: `${told}: ${seedsToDecide({ n, sd, mean: sign * difference.mean, target })}` };
}

function more(seeds: number): string {
  return `${counted(seeds, "more seed")} needed`;
}

/** The nearest decision is an interval that leaves 0 on the one side or the published size on the other. */
function seedsToDecide(state: { n: number; sd: number; mean: number; target: number }): string {
  const margin = Math.max(state.mean, state.target - state.mean);
  if (margin <= 0) return `more seeds needed; at a spread of ${points(state.sd)} their number cannot be estimated`;
  return `about ${more(Math.max(1, seedsNeeded(state.sd, margin) - state.n))}`;
}
