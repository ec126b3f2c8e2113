/** The measurements: one file of this folder and one line here. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import type { z } from "zod";
import { networkSha256 } from "../checkpoint/checkpoint.ts";
import { openNetwork } from "../checkpoint/open_network.ts";
import { splitTraining } from "../data/splits.ts";
import type { Dataset } from "../data/types.ts";
import type { Engine } from "../engine/types.ts";
import { InputError, unknownValue } from "../errors.ts";
import { createMethod } from "../methods/mod.ts";
import type { NetworkTensors } from "../methods/types.ts";
import type { MeasuredValues, Measurement, MeasurementOptions } from "../record/measurement.ts";
import type { RunRecord } from "../record/record.ts";
import type { RunSpec } from "../record/spec.ts";
import { networkOf, testIndices } from "../train/quantization.ts";
import { trainingTensors } from "../train/tensors.ts";
import { edgeShare } from "./edge_share.ts";
import { featureCoding } from "./feature_coding.ts";
import { hessianTrace } from "./hessian_trace.ts";
import { levelSpan } from "./level_span.ts";
import { noiseGradientNorm } from "./noise_gradient_norm.ts";
import { normRecalibration } from "./norm_recalibration.ts";
import { outputVariance } from "./output_variance.ts";
import { identityQuantization } from "./probed.ts";
import type { MeasurementDefinition, Subject } from "./types.ts";
import { stepSizes } from "./step_sizes.ts";
import { unaveraged } from "./unaveraged.ts";

export type { MeasurementDefinition, Subject } from "./types.ts";

export const MEASUREMENTS: readonly MeasurementDefinition[] = [
  hessianTrace,
  outputVariance,
  noiseGradientNorm,
  featureCoding,
  normRecalibration,
  levelSpan,
  stepSizes,
  edgeShare,
  unaveraged,
];

/** @throws {InputError} If there is no measurement of that name. */
export function measurementNamed(name: string): MeasurementDefinition {
  const found = MEASUREMENTS.find((measurement) => measurement.name === name);
  if (found) return found;
  throw unknownValue("measurement", name, MEASUREMENTS.map(({ name }) => name));
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

/** The demand of the schema, for people: `a whole number`, `at least 2`. */
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

/** Values found, and the digest of the last network. */
export type Found = Pick<Measurement, "values" | "epochs"> & { readonly networkSha256: string };

/** The subject of a run's spec. */
export function subjectOf(spec: RunSpec, services: { engine: Engine; dataset: Dataset }): Subject {
  const { dataset } = services, { model, quantization } = networkOf(spec, dataset);
  return {
    ...services,
    model,
    quantization: quantization ?? identityQuantization(model),
    quantized: quantization !== null,
    trainingIndices: splitTraining(dataset.train, spec.dataset).training,
    testIndices: testIndices(spec.dataset, dataset),
  };
}

/**
 * Measures the networks of a run, its programs compiled once.
 * @throws {InputError} If a checkpoint is missing, damaged, of another training than the record's, or of other data.
 */
export async function measureRun(
  measurement: MeasurementDefinition,
  run: { record: RunRecord; subject: Subject; options: MeasurementOptions; checkpoints: RunCheckpoints },
): Promise<Found> {
  const { record, subject, checkpoints } = run, method = createMethod(record.spec.method);
  const measuring = measurement.start(subject, run.options);
  async function measured(path: string, epoch?: number): Promise<{ values: MeasuredValues; sha256: string }> {
    const { tensors } = await openNetwork(path, {
      id: record.id,
      record,
      ...(epoch === undefined ? {} : { epoch }),
      dataSha256: subject.dataset.sha256,
      purpose: `Cannot measure run ${record.id}`,
      instead: "train that run again",
    });
    const trained = trainingTensors(tensors);
    try {
      // for some methods the network that is evaluated is an average
      const network = method.evaluated?.(trained, trained.memory) ?? trained;
      return { values: measuring.measure(ownTensors(network), ownTensors(trained)), sha256: networkSha256(tensors) };
    } finally {
      tf.dispose(trained as unknown as Tensor[]);
    }
  }
  try {
    const { values, sha256 } = await measured(checkpoints.last), epochs: Measurement["epochs"] = [];
    for (const { epoch, path } of checkpoints.epochs) {
      epochs.push({ epoch, values: (await measured(path, epoch)).values });
    }
    return { values, epochs, networkSha256: sha256 };
  } finally {
    measuring.dispose();
  }
}

/** Without what else comes along, such as the velocity of a training. */
function ownTensors({ params, state }: NetworkTensors): NetworkTensors {
  return { params, state };
}
