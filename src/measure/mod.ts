/** The measurements: one file of this folder and one line here. */
import { InputError } from "../errors.ts";
import type { MeasuredValues, MeasurementOptions } from "../runs/measurement.ts";
import type { RunSpec } from "../runs/spec.ts";
import { featureCoding } from "./feature_coding.ts";
import { hessianTrace } from "./hessian_trace.ts";
import { levelSpan } from "./level_span.ts";
import { openNetwork } from "./network.ts";
import { noiseGradientNorm } from "./noise_gradient_norm.ts";
import { normRecalibration } from "./norm_recalibration.ts";
import { outputVariance } from "./output_variance.ts";
import type { MeasurementDefinition, Subject } from "./types.ts";

export { subjectOf } from "./network.ts";
export type { MeasurementDefinition, Subject } from "./types.ts";

export const MEASUREMENTS: readonly MeasurementDefinition[] = [
  hessianTrace,
  outputVariance,
  noiseGradientNorm,
  featureCoding,
  normRecalibration,
  levelSpan,
];

/** @throws {InputError} If there is no measurement of that name. */
export function measurementNamed(name: string): MeasurementDefinition {
  const found = MEASUREMENTS.find((measurement) => measurement.name === name);
  if (found) return found;
  throw new InputError(
    `Cannot use measurement "${name}" as it is not known: choose one of ${
      MEASUREMENTS.map(({ name }) => name).join(", ")
    }`,
  );
}

/**
 * The options of a measurement, its defaults filled in.
 * @throws {InputError} If one does not fit.
 */
export function measurementOptions(
  measurement: MeasurementDefinition,
  given: Readonly<Record<string, unknown>>,
): MeasurementOptions {
  const parsed = measurement.options.safeParse(given);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  throw new InputError(
    `Cannot use the options ${JSON.stringify(given)} of measurement ${measurement.name}: ${
      [...issue.path, issue.message].join(" ")
    }`,
  );
}

/** The checkpoint files of a run. */
export interface RunCheckpoints {
  /** After the last epoch. */
  readonly last: string;
  /** Those that were kept, by epoch. */
  readonly epochs: readonly { readonly epoch: number; readonly path: string }[];
}

/**
 * Measures the networks of a run, its programs compiled once.
 * @throws {InputError} If a checkpoint is missing, damaged or of another run.
 */
export async function measureRun(
  measurement: MeasurementDefinition,
  run: { spec: RunSpec; subject: Subject; options: MeasurementOptions; checkpoints: RunCheckpoints },
): Promise<{ values: MeasuredValues; epochs: { epoch: number; values: MeasuredValues }[] }> {
  const measuring = measurement.start(run.subject, run.options);
  async function valuesOf(path: string): Promise<MeasuredValues> {
    const { network, dispose } = await openNetwork(path, run.spec);
    try {
      return measuring.measure(network);
    } finally {
      dispose();
    }
  }
  try {
    const values = await valuesOf(run.checkpoints.last), epochs = [];
    for (const { epoch, path } of run.checkpoints.epochs) epochs.push({ epoch, values: await valuesOf(path) });
    return { values, epochs };
  } finally {
    measuring.dispose();
  }
}
