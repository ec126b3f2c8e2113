import type { z } from "zod";
import type { Dataset } from "../data/types.ts";
import type { Engine } from "../engine/types.ts";
import type { NetworkTensors } from "../methods/types.ts";
import type { Model, ModelQuantization } from "../nn/types.ts";
import type { MeasuredValues, MeasurementOptions } from "../record/measurement.ts";

/** Everything of a measured run but its tensors. */
export interface Subject {
  readonly engine: Engine;
  readonly dataset: Dataset;
  readonly model: Model;
  /** In full precision `identityQuantization`. */
  readonly quantization: ModelQuantization;
  /** False: full precision. */
  readonly quantized: boolean;
  /** Indices of its training images, also of those whose label `labelledFraction` leaves out. */
  readonly trainingIndices: Uint32Array;
  /** Indices of its test images. */
  readonly testIndices: Uint32Array;
}

/** A measurement of one subject, its programs compiled: networks of several epochs share them. */
export interface Measuring {
  /** @param trained The network that training updated; another than `network` where a method evaluates an average. */
  measure(network: NetworkTensors, trained: NetworkTensors): MeasuredValues;
  dispose(): void;
}

/** A measurement: one file of this folder and one line of `mod.ts`. */
export interface MeasurementDefinition {
  readonly name: string;
  /** The options and their defaults. */
  readonly options: z.ZodType<MeasurementOptions>;
  /** @param options Parsed by `options`. */
  // deno-lint-ignore no-explicit-any -- each file states its own type
  start(subject: Subject, options: any): Measuring;
}
