import { baseOf, isWhole, type ProtocolLabel } from "../../record/spec.ts";
import { type ControlDifference, controlRemarks, decide, differenceWords } from "./decision.ts";
import { signed } from "../labels.ts";
import type { PairedDifference } from "./statistics/paired.ts";
import type { ArmTitle, PublishedCell } from "../../catalog/paper.ts";
import { protocolTitle } from "../../catalog/protocol.ts";

/** All verdicts, best first. */
export const VERDICTS = ["reproduced", "not_reproduced", "inconclusive", "not_comparable", "not_run"] as const;
export type VerdictName = typeof VERDICTS[number];

/** A verdict and why. */
export interface Verdict {
  readonly name: VerdictName;
  readonly reason: string;
}

/** Everything that a verdict is made from. */
export interface Comparison {
  readonly protocol: ProtocolLabel;
  readonly arm: string;
  readonly label: ArmTitle["label"];
  /** Title of the model. */
  readonly model: string;
  /** True if the paper's table has this model; null: its models are not known. */
  readonly modelIsPapers: boolean | null;
  /** The published cell; null: the paper has none for this row. */
  readonly published: PublishedCell | null;
  /** Published arm less published LSQ, in points; null: one of the two is not known. */
  readonly publishedDifference: number | null;
  /** Ended runs of the cell, of any status. */
  readonly runs: number;
  readonly done: number;
  /** Our arm less our LSQ over common seeds; null: no common seed of a like run. */
  readonly difference: PairedDifference | null;
  /** p-value of `difference` after Holm's correction over so many rows of the table; null: not tested. */
  readonly holm: { readonly p: number; readonly rows: number } | null;
  /** To the arm's controls. */
  readonly controls: readonly ControlDifference[];
  /** Everything lost, or less than fully traceable, on either side, in words. */
  readonly remarks: readonly string[];
}

/** Adjusted p-values above this are told. */
export const SIGNIFICANCE = 0.05;

/** The rules of `judge` in words, for print. */
export const VERDICT_RULES = [
  "Not run: the cell has no run",
  "Not comparable: any protocol but paper at its full length, a reconstruction or stand-in, a model that is not the paper's, a published " +
  "number or difference to LSQ that is not known; the rows of full precision and LSQ, whose absolute accuracy depends on " +
  "stem and augmentation, which the papers leave open",
  "Otherwise D is the published difference to the published LSQ, [low, high] the t 95 % interval of the mean of our " +
  "differences to our LSQ, paired by seed, and top the upper bound of the t 95 % prediction interval: where one more run, " +
  "such as the paper's, may lie",
  "Inconclusive: no finished run, fewer than 3 common seeds, or differences that are all equal",
  "Not reproduced, for D > 0: high <= 0 (no gain) or top < D (a smaller gain)",
  "Reproduced, for D > 0: low > 0 and top >= D: our gain is significant, and a single run may gain as much as published, " +
  "which does not say that our mean does; if D lies above the interval of our mean, the verdict says so",
  "Inconclusive: any other interval; the reason estimates how many fresh seeds would decide, if the spread stays. " +
  "Intervals hold for a number of seeds that was fixed before: adding seeds until one decides finds gains that are none",
  "For D < 0 all signs are reversed",
  "Remarks that do not change the verdict: a gain that does not stand Holm's correction over the rows of its table, or " +
  "that is not significant over the arm's controls; runs of either side that did not finish; runs of uncommitted code",
] as const;

/**
 * Judges one row.
 *
 * First match counts (D > 0; for D < 0 all signs are reversed first; top: upper bound of the prediction interval):
 *
 * | condition                                                   | verdict        |
 * |-------------------------------------------------------------|----------------|
 * | no run                                                      | not_run        |
 * | protocol smoke                                              | not_comparable |
 * | not all of protocol paper; reconstruction or stand-in; no   |                |
 * | published cell, or an unknown one; arm fp or lsq; D unknown |                |
 * | or 0                                                        | not_comparable |
 * | no run done; no like LSQ run of a common seed; n < 3; all   |                |
 * | differences equal                                           | inconclusive   |
 * | high <= 0 or top < D                                        | not_reproduced |
 * | low > 0                                                     | reproduced     |
 * | else                                                        | inconclusive   |
 */
export function judge(comparison: Comparison): Verdict {
  if (comparison.runs === 0) return { name: "not_run", reason: "no run of this cell" };
  const obstacles = obstaclesTo(comparison);
  if (obstacles.length > 0) return { name: "not_comparable", reason: obstacles.join("; ") };
  const verdict = judgeDifference(comparison);
  return { ...verdict, reason: [verdict.reason, ...remarksOn(comparison, verdict.name)].join("; ") };
}

/** Lists what a reader must know beside the verdict. */
function remarksOn({ holm, controls, remarks, publishedDifference }: Comparison, name: VerdictName): string[] {
  const isGain = name === "reproduced" && publishedDifference! > 0;
  return [
    ...(name === "reproduced" && holm !== null && holm.p > SIGNIFICANCE
      ? [`not significant among the ${holm.rows} rows of its table (Holm's p = ${holm.p.toFixed(2)})`]
      : []),
    ...(isGain ? controlRemarks(controls) : []),
    ...remarks,
  ];
}

function obstaclesTo(comparison: Comparison): string[] {
  const { protocol, arm, label, model, modelIsPapers, published, publishedDifference } = comparison;
  if (baseOf(protocol) === "smoke") return ["smoke tests the software only"];
  const obstacles: string[] = [];
  if (!isWhole(protocol, "paper")) {
    const name = protocolTitle(protocol), comma = name.includes(",") ? "," : "";
    obstacles.push(`protocol ${name}${comma} is not the paper's recipe`);
  }
  if (modelIsPapers === null) obstacles.push("the paper's models are not known");
  if (modelIsPapers === false) obstacles.push(`${model} is not a model of the paper's table`);
  if (label !== null) obstacles.push(`the method is a ${label}`);
  if (published === null) {
    if (modelIsPapers === true) obstacles.push("the paper has no such cell");
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
  const claim = publishedDifference!, sign = claim > 0 ? 1 : -1;
  const { direction, isSmaller, reach, why } = decide(difference, { sign, margin: 0, size: Math.abs(claim) });
  if (reach === null) return { name: "inconclusive", reason: why! };
  const word = sign > 0 ? "gain" : "loss";
  const told = `published ${signed(claim)}, ours ${differenceWords(difference)}`;
  if (direction === "fails") return { name: "not_reproduced", reason: `no ${word} over LSQ: ${told}` };
  if (isSmaller) {
    return {
      name: "not_reproduced",
      reason: `a smaller ${word} over LSQ, if any: ${told}; one run of ours reaches at most ${signed(reach)}`,
    };
  }
  if (direction === "holds") {
    const { low, high } = difference.interval!, isOutside = sign > 0 ? claim > high : claim < low;
    const size = isOutside ? `, though the published size lies outside the interval of our mean` : "";
    return {
      name: "reproduced",
      reason: `a significant ${word} over LSQ, and a single run may reach the published size${size}: ${told}`,
    };
  }
  return { name: "inconclusive", reason: `${told}: ${why}` };
}
