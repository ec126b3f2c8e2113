/** What is in no table of a page, and why. */
import type { RunRecord } from "../../record/record.ts";
import type { RunSpec } from "../../record/spec.ts";
import type { Aggregate } from "../judge/aggregate.ts";
import { counted } from "../labels.ts";
import { specRevision } from "../judge/newest.ts";
import { runsOf } from "../judge/tables.ts";
import type { PaperPage } from "../../catalog/paper.ts";

/** Between an arm and what replaced a part of it: `fpq@pact` is FPQ on PACT's quantizer. */
const VARIANT_MARK = "@";

/** An item a kind of run; nothing where there is none. */
export function leftOutItems(page: PaperPage, { cells, heldOut, outdated }: Aggregate): string[] {
  const trials = runsOf(page, heldOut), old = runsOf(page, outdated);
  const variants = cells.flatMap(({ done, notDone }) => [...done, ...notDone]).filter((run) => isVariant(page, run));
  const versions = [...new Set(old.map(({ spec }) => versionText(spec)))].sort().join("; ");
  return [
    ...(trials.length > 0
      ? [
        `${counted(trials.length, "run")} on held-out training images, which choose hyper-parameters and are no result`,
      ]
      : []),
    ...(old.length > 0
      ? [
        `${counted(old.length, "run")} of an older version (${versions}): the code has changed what they compute`,
      ]
      : []),
    ...(variants.length > 0
      ? [
        `${counted(variants.length, "run")} of an arm with a part replaced (${
          armsOf(variants)
        }), which is not the paper's`,
      ]
      : []),
  ];
}

/** An arm of the page with a part replaced, which no table of the page lists. */
function isVariant(page: PaperPage, { spec }: RunRecord): boolean {
  const [base, part] = spec.arm.split(VARIANT_MARK);
  return part !== undefined && page.arms.some(({ id }) => id === base) &&
    !page.tables.some(({ arms }) => arms.includes(spec.arm));
}

function armsOf(runs: readonly RunRecord[]): string {
  return [...new Set(runs.map(({ spec }) => spec.arm))].sort().join(", ");
}

function versionText(spec: RunSpec): string {
  const { recipe, quantization } = spec;
  const quantizer = quantization ? `, ${quantization.quantizer} ${specRevision(spec)}` : "";
  return `recipe ${recipe.version}${quantizer}`;
}
