/**
 * Acceptance: three real runs that show that the training stack reaches the accuracies it must before any paper is judged.
 *
 * ResNet-20 on CIFAR-10, protocol reduced, seed 0: full precision, and from it LSQ at W4A4 and W2A2. They are runs of the papers'
 * tables too, so whoever has those has these. About an hour and a half of one core with engine tensorflow.
 */
import { markdownTable } from "markdown-table";
import type { EngineName } from "../engine/types.ts";
import type { RunRecord } from "../record/record.ts";
import { startedFrom } from "../report/judge/pairs.ts";
import { isFinished, resultsOf } from "../report/read/result.ts";
import { runId, type RunSpec } from "../record/spec.ts";
import { FP, LSQ } from "../../benchmarks/arms.ts";
import { gridSpecs } from "../plan/grid_specs.ts";
import { formatBits } from "../catalog/bits.ts";
import { PROTOCOL_DEFINITIONS } from "../../benchmarks/protocols.ts";
import type { Console } from "./console.ts";
import { fixedRuns } from "./fixed_runs.ts";

const SEED = 0;

/** Targets that must hold, in percent and points of top-1 accuracy on the test images, after the last epoch. */
export const TARGETS = {
  fullPrecisionAtLeast: 88,
  loses: [
    { bits: { weights: 4, activations: 4 }, lessThan: 1 },
    { bits: { weights: 2, activations: 2 }, lessThan: 6 },
  ],
} as const;

/** The three runs. */
export function acceptanceSpecs(engine: EngineName): RunSpec[] {
  const specs = gridSpecs({
    dataset: "cifar10",
    models: ["resnet20"],
    arms: [FP, LSQ],
    bits: TARGETS.loses.map(({ bits }) => bits),
    seeds: [SEED],
    protocol: PROTOCOL_DEFINITIONS.reduced,
    engine,
  });
  return specs.flatMap(({ spec, isCell }) => isCell ? [spec] : []);
}

/** One line of the acceptance table. */
export interface AcceptanceRow {
  readonly title: string;
  readonly target: string;
  /** Null: not run, or not done. */
  readonly top1Percent: number | null;
  readonly holds: boolean | null;
}

/** The targets beside what the records say; records of other runs are passed over. */
export function acceptanceRows(records: readonly RunRecord[], engine: EngineName): AcceptanceRow[] {
  const results = resultsOf(records).filter(isFinished);
  const [teacher, ...students] = acceptanceSpecs(engine).map((spec) => results.find(({ id }) => id === runId(spec)));
  // a student of another training of the teacher lost nothing of this one's accuracy
  const own = students.map((student) => student && teacher && startedFrom(student, teacher) ? student : undefined);
  const [full = null, ...rest] = [teacher, ...own].map((result) => result?.top1 ?? null);
  const holds = (value: number | null, test: (value: number) => boolean) => value === null ? null : test(value);
  return [
    {
      title: "ResNet-20, full precision, 20 epochs",
      target: `at least ${TARGETS.fullPrecisionAtLeast} %`,
      top1Percent: full,
      holds: holds(full, (value) => value >= TARGETS.fullPrecisionAtLeast),
    },
    ...TARGETS.loses.map(({ bits, lessThan }, i) => ({
      title: `LSQ ${formatBits(bits)}, ${PROTOCOL_DEFINITIONS.reduced.quantized.epochs} epochs from it`,
      target: `loses less than ${lessThan} point${lessThan === 1 ? "" : "s"}`,
      top1Percent: rest[i] ?? null,
      holds: full === null ? null : holds(rest[i] ?? null, (value) => full - value < lessThan),
    })),
  ];
}

/** The rows as a Markdown table. */
export function acceptanceTable(rows: readonly AcceptanceRow[]): string {
  const full = rows[0]?.top1Percent ?? null;
  const cell = ({ top1Percent }: AcceptanceRow) => top1Percent === null ? "not run" : `${top1Percent.toFixed(2)} %`;
  const loss = ({ top1Percent }: AcceptanceRow, i: number) =>
    i === 0 || top1Percent === null || full === null ? "" : (full - top1Percent).toFixed(2);
  const verdict = ({ holds }: AcceptanceRow) => holds === null ? "" : holds ? "holds" : "does not hold";
  const lines = rows.map((row, i) => [row.title, row.target, cell(row), loss(row, i), verdict(row)]);
  return markdownTable([["Run, seed 0", "Target", "Top-1, test", "Loses", ""], ...lines], {
    align: ["", "", "r", "r", ""],
  });
}

/** `deno task dev:acceptance`. @returns The exit code: 0 every target holds, 1 not all, 2 bad input. */
export async function acceptance(args: readonly string[], console: Console): Promise<number> {
  return await fixedRuns(args, {
    console,
    runs: {
      task: "dev:acceptance",
      about: "Trains full precision and, from it, LSQ at W4A4 and W2A2, and compares them with targets",
      good: "every target holds",
      specs: acceptanceSpecs,
      result(records, engine) {
        const rows = acceptanceRows(records, engine);
        return { text: acceptanceTable(rows), good: rows.every(({ holds }) => holds === true) };
      },
    },
  });
}
