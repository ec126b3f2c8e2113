/**
 * Choice of the free hyper-parameters of protocol reduced, each by trial runs at W2A2 on held-out training images.
 *
 * They are chosen one after the other, before the first reported run, with a seed that no table reports. Every trial is a
 * committed record.
 *
 * The model is ResNet-20 on CIFAR-10. Full precision takes 10 epochs; each trial starts from it and takes 2. The rest is
 * protocol reduced. The value with the highest held-out accuracy after the last epoch is taken; of equal ones the first.
 */
import { markdownTable } from "markdown-table";
import type { EngineName } from "../engine/types.ts";
import type { RunRecord } from "../record/record.ts";
import { runId, type RunSpec } from "../record/spec.ts";
import { FP, LSQ } from "../../benchmarks/arms.ts";
import { CR } from "../../benchmarks/cr/paper.ts";
import { FPQ } from "../../benchmarks/fpq/paper.ts";
import { gridSpecs } from "../plan/grid_specs.ts";
import { MEC } from "../../benchmarks/mec/paper.ts";
import { PROTOCOL_DEFINITIONS } from "../../benchmarks/protocols.ts";
import { W2A2 } from "../catalog/bits.ts";
import type { Arm } from "../catalog/paper.ts";
import type { Protocol } from "../catalog/protocol.ts";
import type { Console } from "./console.ts";
import { fixedRuns } from "./fixed_runs.ts";

/** Seed of all trials; no table reports it. */
export const SEED = 100;

/** Protocol reduced, shorter, and evaluated on held-out images. */
export const TRIALS: Protocol = {
  ...PROTOCOL_DEFINITIONS.reduced,
  dataset: { ...PROTOCOL_DEFINITIONS.reduced.dataset, evaluateOn: "heldOut" },
  fullPrecision: { ...PROTOCOL_DEFINITIONS.reduced.fullPrecision, epochs: 10 },
  quantized: { ...PROTOCOL_DEFINITIONS.reduced.quantized, epochs: 2, warmupEpochs: 0.25 },
};

/** Arm that every trial starts from. */
export const TEACHER: Arm = { ...FP, id: `${FP.id}_tuning` };

/** A hyper-parameter, the arm that it is chosen with, and its candidates. */
export interface Choice {
  readonly id: string;
  readonly title: string;
  readonly arm: Arm;
  readonly candidates: readonly number[];
  /** The spec of a trial, from the arm's own. */
  readonly apply: (spec: RunSpec, value: number) => RunSpec;
}

/** The learning rate is first, so that the others are tried at the chosen one. */
export const CHOICES: readonly Choice[] = [
  {
    id: "learningRate",
    title: "learning rate of every quantized arm",
    arm: LSQ,
    candidates: [0.01, 0.02, 0.05],
    apply: (spec, value) => ({ ...spec, recipe: { ...spec.recipe, learningRate: value } }),
  },
  optionChoice("csdWeight", {
    title: "FPQ: weight of CSD",
    arm: withOptions(FPQ, ["probability"]),
    candidates: [0.1, 1, 10],
  }),
  optionChoice("weight", {
    title: "CR: weight of the consistency loss",
    arm: withOptions(CR, ["alpha"]),
    candidates: [1, 3, 10],
  }),
  optionChoice("beta", {
    title: "MEC, one view, K = 4: weight of the coding length",
    arm: withOptions(MEC, ["experts"]),
    candidates: [0.03, 0.1, 0.3, 1],
  }),
];

/**
 * The paper's arm with these of its options alone: a trial's id is made of what its spec names, and the trials were run with
 * no more. A test holds the others to the method's defaults.
 */
function withOptions(arm: Arm, names: readonly string[]): Arm {
  const { name, options } = arm.method;
  const kept = Object.entries(options).filter(([option]) => names.includes(option));
  return { ...arm, method: { name, options: Object.fromEntries(kept) } };
}

/** A choice of one option of an arm's method. */
function optionChoice(id: string, choice: Omit<Choice, "id" | "apply">): Choice {
  return {
    ...choice,
    id,
    apply: (spec, value) => ({
      ...spec,
      method: { ...spec.method, options: { ...spec.method.options, [id]: value } },
    }),
  };
}

/** The specs of one arm: itself, after its teacher where it starts from one. */
function specsOf(arm: Arm, engine: EngineName): RunSpec[] {
  const place = { dataset: "cifar10", models: ["resnet20"], bits: [W2A2], seeds: [SEED] };
  return gridSpecs({ ...place, arms: [arm], protocol: TRIALS, engine }).map(({ spec }) => spec);
}

/** The trial of one value. */
export function trialSpec(choice: Choice, value: number, engine: EngineName): RunSpec {
  const { tuned: _, ...arm } = choice.arm; // not what the protocol has: the value
  const trial = { ...arm, id: `${arm.id}_${choice.id}_${value}`, start: TEACHER };
  return choice.apply(specsOf(trial, engine).at(-1)!, value);
}

/** The teacher and every trial. */
export function tuningSpecs(engine: EngineName): RunSpec[] {
  return [
    ...specsOf(TEACHER, engine),
    ...CHOICES.flatMap((choice) => choice.candidates.map((value) => trialSpec(choice, value, engine))),
  ];
}

/** A choice and what its trials gave, in the order of the candidates; null: not run. */
export interface TuningRow {
  readonly choice: Choice;
  readonly top1Percent: readonly (number | "diverged" | null)[];
  /** Null until every trial is done. */
  readonly best: number | null;
}

/** The choices beside what the records say; records of other runs are passed over. */
export function tuningRows(records: readonly RunRecord[], engine: EngineName): TuningRow[] {
  const byId = new Map(records.map((record) => [record.id, record]));
  return CHOICES.map((choice) => {
    const top1Percent = choice.candidates.map((value) => {
      const record = byId.get(runId(trialSpec(choice, value, engine)));
      return record?.status === "diverged" ? record.status : record?.metrics?.["top1Percent"] ?? null;
    });
    const highest = Math.max(...top1Percent.filter((value) => typeof value === "number"));
    const decided = !top1Percent.includes(null) && Number.isFinite(highest);
    return { choice, top1Percent, best: decided ? choice.candidates[top1Percent.indexOf(highest)]! : null };
  });
}

/** The rows as a Markdown table. */
export function tuningTable(rows: readonly TuningRow[]): string {
  const text = (accuracy: number | string | null) =>
    typeof accuracy === "number" ? `${accuracy.toFixed(2)} %` : accuracy ?? "not run";
  const lines = rows.map(({ choice, top1Percent, best }) => {
    const trials = choice.candidates.map((value, i) => `${value}: ${text(top1Percent[i] ?? null)}`);
    return [choice.title, trials.join("; "), String(best ?? "")];
  });
  return markdownTable([["Hyper-parameter", "Top-1 on held-out images", "Chosen"], ...lines], {
    align: ["", "", "r"],
  });
}

/** `deno task dev:tune`. @returns The exit code: 0 every trial has ended, 1 not all, 2 bad input. */
export async function tune(args: readonly string[], console: Console): Promise<number> {
  return await fixedRuns(args, {
    console,
    runs: {
      task: "dev:tune",
      about: "Runs trials on held-out images that choose the hyper-parameters of protocol reduced; writes no page",
      good: "every trial has ended",
      specs: tuningSpecs,
      result(records, engine) {
        const rows = tuningRows(records, engine);
        return { text: tuningTable(rows), good: rows.every(({ best }) => best !== null) };
      },
    },
  });
}
