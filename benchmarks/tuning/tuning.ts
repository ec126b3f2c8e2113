/**
 * How the free hyper-parameters of protocol reduced are chosen: each by trial runs at W2A2 on held-out training images, with
 * a seed that no table reports, one after the other, before the first reported run. Every trial is a committed record.
 *
 * ResNet-20 on CIFAR-10, full precision for 10 epochs and from it 2 epochs a trial, otherwise protocol reduced. The value
 * with the highest held-out accuracy after the last epoch is taken; of equal ones the first.
 */
import type { EngineName } from "../../src/engine/types.ts";
import type { RunRecord } from "../../src/runs/record.ts";
import { runId, type RunSpec } from "../../src/runs/spec.ts";
import { revisionField } from "../../src/runs/revisions.ts";
import { FP, LSQ } from "../arms.ts";
import { PROTOCOL_DEFINITIONS } from "../protocols.ts";
import type { Arm } from "../types.ts";

const SEED = 100, TEACHER_EPOCHS = 10, TRIAL_EPOCHS = 2, WARMUP_EPOCHS = 0.25;

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
    arm: {
      id: "fpq",
      method: { name: "fpq", options: { probability: 0.1 } },
      quantizer: "lsq_asymmetric",
      fromTeacher: true,
    },
    candidates: [0.1, 1, 10],
  }),
  optionChoice("weight", {
    title: "CR: weight of the consistency loss",
    arm: { id: "cr", method: { name: "cr", options: { alpha: 0.999 } }, quantizer: "lsq", fromTeacher: true },
    candidates: [1, 3, 10],
  }),
  optionChoice("beta", {
    title: "MEC, one view, K = 4: weight of the coding length",
    arm: { id: "mec", method: { name: "mec", options: { experts: 4 } }, quantizer: "lsq", fromTeacher: true },
    candidates: [0.03, 0.1, 0.3, 1],
  }),
];

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

function teacherSpec(engine: EngineName): RunSpec {
  const protocol = PROTOCOL_DEFINITIONS.reduced;
  return {
    schema: 1,
    protocol: protocol.name,
    arm: `${FP.id}_tuning`,
    method: FP.method,
    model: "resnet20",
    dataset: { name: "cifar10", ...protocol.dataset, evaluateOn: "heldOut" },
    quantization: null,
    recipe: { ...protocol.fullPrecision, epochs: TEACHER_EPOCHS },
    seed: SEED,
    engine,
    teacher: null,
  };
}

/** The trial of one value. */
export function trialSpec(choice: Choice, value: number, engine: EngineName): RunSpec {
  const protocol = PROTOCOL_DEFINITIONS.reduced, teacher = teacherSpec(engine);
  const spec: RunSpec = {
    ...teacher,
    arm: `${choice.arm.id}_${choice.id}_${value}`,
    method: choice.arm.method,
    quantization: {
      quantizer: choice.arm.quantizer!,
      ...revisionField(choice.arm.quantizer!),
      weightBits: 2,
      activationBits: 2,
      firstLastBits: 8,
      calibrationExamples: protocol.calibrationExamples,
    },
    recipe: { ...protocol.quantized, epochs: TRIAL_EPOCHS, warmupEpochs: WARMUP_EPOCHS },
    teacher: runId(teacher),
  };
  return choice.apply(spec, value);
}

/** The teacher and every trial. */
export function tuningSpecs(engine: EngineName): RunSpec[] {
  return [
    teacherSpec(engine),
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
    return `| ${choice.title} | ${trials.join("; ")} | ${best ?? ""} |`;
  });
  return ["| Hyper-parameter | Top-1 on held-out images | Chosen |", "|---|---|--:|", ...lines].join("\n");
}
