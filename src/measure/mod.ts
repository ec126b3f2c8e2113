/** The measurements: one file of this folder and one line here. */
import type { z } from "zod";
import { InputError } from "../errors.ts";
import type { MeasuredValues, Measurement, MeasurementOptions } from "../record/measurement.ts";
import type { RunRecord } from "../record/record.ts";
import { featureCoding } from "./feature_coding.ts";
import { hessianTrace } from "./hessian_trace.ts";
import { levelSpan } from "./level_span.ts";
import { openNetwork } from "./network.ts";
import { noiseGradientNorm } from "./noise_gradient_norm.ts";
import { normRecalibration } from "./norm_recalibration.ts";
import { outputVariance } from "./output_variance.ts";
import type { MeasurementDefinition, Subject } from "./types.ts";
import { unaveraged } from "./unaveraged.ts";

export { subjectOf } from "./network.ts";
export type { MeasurementDefinition, Subject } from "./types.ts";

export const MEASUREMENTS: readonly MeasurementDefinition[] = [
  hessianTrace,
  outputVariance,
  noiseGradientNorm,
  featureCoding,
  normRecalibration,
  levelSpan,
  unaveraged,
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
  const issue = parsed.error.issues[0]!, name = String(issue.path[0]);
  if (issue.code === "unrecognized_keys") {
    const keys = issue.keys.join(", ");
    throw new InputError(
      `Cannot set ${keys} in measurement ${measurement.name} as it has no such option: leave it out`,
    );
  }
  const byDefault = measurement.options.parse({})[name];
  throw new InputError(
    `Cannot set ${name} to ${JSON.stringify(given[name])} in measurement ${measurement.name} as ` +
      `${issue.path.length > 1 ? "each of its values" : "it"} must be ${
        demandOf(issue)
      }: give such as ${name}=${byDefault}`,
  );
}

/** What the schema wants, for people: `a whole number`, `at least 2`. */
function demandOf(issue: z.core.$ZodIssue): string {
  if (issue.code === "invalid_value") return `one of ${issue.values.join(", ")}`;
  if (issue.code === "too_small") return `${issue.inclusive ? "at least" : "above"} ${issue.minimum}`;
  if (issue.code !== "invalid_type") return `other: ${issue.message}`;
  const kinds: Record<string, string> = { number: "a number", int: "a whole number", array: "numbers between commas" };
  return kinds[issue.expected] ?? issue.expected;
}

/** The checkpoint files of a run. */
export interface RunCheckpoints {
  /** After the last epoch. */
  readonly last: string;
  /** Those that were kept, by epoch. */
  readonly epochs: readonly { readonly epoch: number; readonly path: string }[];
}

/** What was found, and the digest of the last network. */
export type Found = Pick<Measurement, "values" | "epochs"> & { readonly networkSha256: string };

/**
 * Measures the networks of a run, its programs compiled once.
 * @throws {InputError} If a checkpoint is missing, damaged or not of the training that the run's record tells of.
 */
export async function measureRun(
  measurement: MeasurementDefinition,
  run: { record: RunRecord; subject: Subject; options: MeasurementOptions; checkpoints: RunCheckpoints },
): Promise<Found> {
  const measuring = measurement.start(run.subject, run.options);
  async function measured(path: string, epoch?: number): Promise<{ values: MeasuredValues; sha256: string }> {
    const { network, trained, sha256, dispose } = await openNetwork(path, run.record, epoch);
    try {
      return { values: measuring.measure(network, trained), sha256 };
    } finally {
      dispose();
    }
  }
  try {
    const { values, sha256 } = await measured(run.checkpoints.last), epochs: Measurement["epochs"] = [];
    for (const { epoch, path } of run.checkpoints.epochs) {
      epochs.push({ epoch, values: (await measured(path, epoch)).values });
    }
    return { values, epochs, networkSha256: sha256 };
  } finally {
    measuring.dispose();
  }
}
