/** The claims of a paper, tested on runs. */
import type { Measurement } from "../../record/measurement.ts";
import { InputError } from "../../errors.ts";
import { type BaseProtocol, canonicalJson, isWhole, type ProtocolLabel } from "../../record/spec.ts";
import type { Finished } from "../read/result.ts";
import { type Aggregate, type Cell, keyText } from "./aggregate.ts";
import {
  comparisonRemarks,
  type ControlDifference,
  controlRemarks,
  decide,
  type Decision,
  differenceWords,
} from "./decision.ts";
import { bitsTitle } from "../../catalog/bits.ts";
import { modelTitle } from "../../catalog/titles.ts";
import { signed } from "../labels.ts";
import { kindOf } from "./measurements.ts";
import { differenceTo, likeRuns, type Partner, teachers } from "./pairs.ts";
import { armOf } from "./rows.ts";
import type { PairedDifference } from "./statistics/paired.ts";
import type { ArmTitle, Claim, Paper } from "../../catalog/paper.ts";
import type { Verdict } from "./verdict.ts";
import { protocolTitle } from "../../catalog/protocol.ts";

/** The baseline of a claim about the full-precision run that each run started from. */
export const OWN_FP = "own_fp";

/** Runs of one protocol, model and width that speak for or against a claim. */
export interface ClaimEvidence {
  readonly protocol: ProtocolLabel;
  readonly model: string;
  readonly weightBits: number | null;
  readonly activationBits: number | null;
  /** True if protocol and model are the paper's: then sizes compare, and not only directions. */
  readonly isPapers: boolean;
  /** Arm less baseline, paired by seed; null: no common seed with both numbers. */
  readonly difference: PairedDifference | null;
  readonly direction: Decision["direction"];
  /** True if sizes compare and one run of ours cannot reach the published one. */
  readonly isSmaller: boolean;
  /** Why it is undecided, or that the size is smaller than published; null: nothing to say. */
  readonly note: string | null;
  /** For claims about accuracy: arm less each of its controls that is not the baseline, paired by seed. */
  readonly controls: readonly ControlDifference[];
  /** Everything lost, or less than fully traceable, on either side, in words. */
  readonly remarks: readonly string[];
}

/** A claim with what the runs say of it. */
export interface ClaimResult {
  readonly claim: Claim;
  /** `reproduced`: it holds, in the published size where there is one, in every cell that the paper states it of. */
  readonly verdict: Verdict;
  /** Protocol paper first, then full and reduced; smoke tests the software and never counts. */
  readonly evidence: readonly ClaimEvidence[];
}

const PROTOCOL_ORDER: readonly BaseProtocol[] = ["paper", "full", "reduced"];

/**
 * Tests every claim of a page.
 *
 * | condition                                                                     | verdict        |
 * |-------------------------------------------------------------------------------|----------------|
 * | no finished run of the arm in a cell of the claim                             | not_run        |
 * | reconstruction or stand-in; the paper leaves cells open; no run of protocol   |                |
 * | paper on the paper's model                                                    | not_comparable |
 * | in one cell: the direction fails, or one run cannot reach the published size  | not_reproduced |
 * | in every cell of the claim the direction holds                                | reproduced     |
 * | else                                                                          | inconclusive   |
 *
 * Whatever the verdict, its reason says of every protocol whether the direction holds, fails or is undecided.
 *
 * @throws {InputError} If a measurement lacks the number of a claim.
 */
export function claimResults(
  page: Paper<ArmTitle>,
  { aggregate, measurements }: { readonly aggregate: Aggregate; readonly measurements: readonly Measurement[] },
): ClaimResult[] {
  const byArm = Map.groupBy(aggregate.cells, ({ arm }) => arm);
  return (page.claims ?? []).map((claim) => {
    const numbers = runNumbers(claim, measurements);
    const evidence = PROTOCOL_ORDER.flatMap((protocol) =>
      (byArm.get(claim.arm) ?? []).filter((cell) => isWhole(cell.protocol, protocol) && isOf(claim, cell))
        .map((cell) => evidenceOf(page, { claim, cell, aggregate, numbers }))
    );
    return { claim, evidence, verdict: verdictOf(page, claim, { evidence }) };
  });
}

/** Other protocols have a model of their own, which may stand for the paper's. */
function isOf(claim: Claim, { protocol, dataset, model, weightBits, activationBits, done }: Cell): boolean {
  return done.length > 0 && dataset === claim.dataset &&
    (!isWhole(protocol, "paper") || claim.models.length === 0 || claim.models.includes(model)) &&
    claim.bits.some(({ weights, activations }) => weights === weightBits && activations === activationBits);
}

/** A number of a run, and the options and data that it was measured with: only equal ones compare. */
interface RunNumber {
  readonly value: number;
  readonly options: string;
}

type NumberOfRun = (run: Finished) => RunNumber | null;

function runNumbers({ id, quantity }: Claim, measurements: readonly Measurement[]): NumberOfRun {
  if (quantity.kind === "top1") return ({ top1 }) => ({ value: top1, options: "" });
  const kind = kindOf(quantity.name), found = new Map<string, RunNumber>();
  for (const measurement of measurements) {
    if (measurement.name !== quantity.name) continue;
    const number = kind.quantities(measurement).find(({ title }) => title === quantity.quantity);
    if (number === undefined) {
      throw new InputError(
        `Cannot test claim ${id} as ${quantity.name} of run ${measurement.run} has no number "${quantity.quantity}": ` +
          "measure it again with the default options",
      );
    }
    const { options, dataSha256 } = measurement;
    found.set(measurement.run, { value: number.value, options: canonicalJson({ options, dataSha256 }) });
  }
  return (run) => found.get(run.id) ?? null;
}

interface EvidenceInput {
  readonly claim: Claim;
  readonly cell: Cell;
  readonly aggregate: Aggregate;
  readonly numbers: NumberOfRun;
}

function evidenceOf(page: Paper<ArmTitle>, { claim, cell, aggregate, numbers }: EvidenceInput): ClaimEvidence {
  const to = (arm: string) => {
    const partner: Partner = arm === OWN_FP
      ? teachers(aggregate.cells)
      : likeRuns(cell, { arm, byKey: aggregate.byKey });
    const like: Partner = (run) => {
      const other = partner(run);
      return other && numbers(other)?.options === numbers(run)?.options ? other : undefined;
    };
    return differenceTo(cell.done, like, (run) => numbers(run)?.value ?? null);
  };
  const isPapers = isWhole(cell.protocol, "paper") && claim.models.includes(cell.model);
  const difference = to(claim.baseline), other = aggregate.byKey.get(keyText({ ...cell, arm: claim.baseline }));
  const controls = claim.quantity.kind === "top1"
    ? (armOf(page, claim.arm).controls ?? []).filter((id) => id !== claim.baseline)
    : [];
  return {
    protocol: cell.protocol,
    model: cell.model,
    weightBits: cell.weightBits,
    activationBits: cell.activationBits,
    isPapers,
    difference,
    ...decided(claim, { difference, isPapers }),
    controls: controls.map((id) => ({ control: armOf(page, id), difference: to(id) })),
    remarks: comparisonRemarks(cell, {
      other: other ? { ...other, title: armOf(page, other.arm).title } : null,
      difference,
    }),
  };
}

function decided(
  claim: Claim,
  { difference, isPapers }: Pick<ClaimEvidence, "difference" | "isPapers">,
): Pick<ClaimEvidence, "direction" | "isSmaller" | "note"> {
  if (difference === null) {
    const what = claim.quantity.kind === "top1" ? "run" : "run, measured alike,";
    const of = claim.baseline === OWN_FP ? "the own full precision" : claim.baseline;
    return { direction: "undecided", isSmaller: false, note: `no ${what} of ${of} with a common seed` };
  }
  const sign = claim.relation === "below" ? -1 : 1;
  const { direction, isSmaller, reach, why } = decide(difference, {
    sign,
    margin: claim.margin ?? 0,
    size: claim.published === null || !isPapers ? null : sign * claim.published,
  });
  if (!isSmaller || direction === "fails") return { direction, isSmaller, note: why };
  const note = `smaller than published: one run of ours reaches at most ${numberText(claim)(reach!)}`;
  return { direction, isSmaller, note };
}

/** Points with two decimals; other numbers with four digits. */
export function numberText({ quantity }: Pick<Claim, "quantity">): (value: number) => string {
  if (quantity.kind === "top1") return signed;
  return (value) => `${value < 0 ? "" : "+"}${Number(value.toPrecision(4))}`;
}

function verdictOf(page: Paper<ArmTitle>, claim: Claim, { evidence }: Pick<ClaimResult, "evidence">): Verdict {
  if (evidence.length === 0) return { name: "not_run", reason: "no run of a cell of this claim" };
  const obstacles = obstaclesTo(page, claim, { evidence });
  const words = evidence.map((item) => evidenceWords(claim, item));
  if (obstacles.length > 0) return { name: "not_comparable", reason: [...obstacles, ...words].join("; ") };
  return { name: nameOf(claim, evidence.filter(({ isPapers }) => isPapers)), reason: words.join("; ") };
}

function obstaclesTo(page: Paper<ArmTitle>, claim: Claim, { evidence }: Pick<ClaimResult, "evidence">): string[] {
  const { label } = armOf(page, claim.arm);
  return [
    ...(label === null ? [] : [`the method is a ${label}`]),
    ...(claim.open === null ? [] : [claim.open]),
    ...(evidence.some(({ isPapers }) => isPapers) ? [] : ["no run of protocol paper on a model of the claim"]),
  ];
}

function nameOf(claim: Claim, evidence: readonly ClaimEvidence[]): Verdict["name"] {
  if (evidence.some((item) => item.direction === "fails" || item.isSmaller)) return "not_reproduced";
  // several engines may have run a cell
  const ran = new Set(evidence.map((item) => `${item.model} ${bitsTitle(item)}`));
  return ran.size === claim.models.length * claim.bits.length &&
      evidence.every(({ direction }) => direction === "holds")
    ? "reproduced"
    : "inconclusive";
}

/** `direction holds under protocol reduced (ResNet-20, W2A2, n = 5: +0.80 [+0.30, +1.30])`, with what weakens it. */
function evidenceWords(claim: Claim, item: ClaimEvidence): string {
  const { protocol, direction, difference, note } = item;
  const numbers = difference === null ? "" : `, n = ${difference.n}: ${differenceWords(difference, numberText(claim))}`;
  const place = `${modelTitle(item.model)}, ${bitsTitle(item)}${numbers}`;
  const weaker = direction === "holds" && claim.relation !== "below" ? controlRemarks(item.controls) : [];
  return `direction ${direction} under protocol ${protocolTitle(protocol)} (${place})` +
    (note === null ? "" : `, ${note}`) +
    weaker.map((remark) => `, but ${remark}`).join("") + item.remarks.map((remark) => `, ${remark}`).join("");
}
