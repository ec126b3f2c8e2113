import type { Tensor } from "../engine/types.ts";
import type { z } from "zod";
import type { Hooks, Model, ModelQuantization, Output } from "../nn/types.ts";
import type { Leaves } from "../tree.ts";

/** A network's tensors: learned ones, and those that are only updated; a type, so that it is a tree of tensors. */
export type NetworkTensors = {
  readonly params: Leaves<Tensor>;
  readonly state: Leaves<Tensor>;
};

/** Place of a step in its run. */
export interface StepPosition {
  /** Seed of the run. */
  readonly seed: number;
  /** From 0, over the whole run. */
  readonly step: number;
  /** Steps in an epoch. */
  readonly stepsPerEpoch: number;
  /** Epochs of the run. */
  readonly epochs: number;
}

/** Options of a forward pass. */
export interface ForwardOptions {
  /** Tensors that the model computes with. */
  readonly network: NetworkTensors;
  /** Normalised, [batch, h, w, c]. */
  readonly images: Tensor;
  /** Batch statistics (and their running averages updated), or the running ones. */
  readonly training: boolean;
  /** True: with the network's quantizers. */
  readonly quantized: boolean;
  /** Functions that are called at the places of `Hooks`; left out: none. */
  readonly hooks?: Hooks;
}

/** A forward pass and the running statistics it leaves. */
export interface ForwardResult extends Output {
  /** New running statistics, by path; empty at inference. */
  readonly updates: Readonly<Record<string, Tensor>>;
}

/** Inputs of a method's loss in one training step; everything is a tensor of the program. */
export interface LossInputs {
  /** Network that is trained. */
  readonly model: Model;
  /** Null: full precision. */
  readonly quantization: ModelQuantization | null;
  /** Tensors that are trained. */
  readonly student: NetworkTensors;
  /** The full-precision run of the same seed; null unless the method asks for it. */
  readonly teacher: NetworkTensors | null;
  /** The method's own tensors between steps. */
  readonly memory: Leaves<Tensor>;
  /** Result of `stepInputs`, by name. */
  readonly inputs: Leaves<Tensor>;
  /** Independent augmentations of the same images, normalised: [batch, h, w, c] each. */
  readonly views: readonly Tensor[];
  /** The same of images of which no label is used, [unlabelledRatio * batch, h, w, c] each; left out where there are none. */
  readonly unlabelled?: readonly Tensor[];
  /** One-hot, [batch, classes]. */
  readonly labels: Tensor;
  /** Runs the model. */
  forward(options: ForwardOptions): ForwardResult;
}

/** Result of a method's loss. */
export interface LossResult {
  /** Scalar: what is minimised. */
  readonly loss: Tensor;
  /** Logits of the first view, [batch, classes], for the training accuracy. */
  readonly logits: Tensor;
  /** New running statistics of the student. */
  readonly updates: Readonly<Record<string, Tensor>>;
  /** Scalars for the record, by name; `loss`, `correct`, `ascendedLoss` and `top1Percent` are taken. */
  readonly metrics: Readonly<Record<string, Tensor>>;
  /** New memory; what is left out stays. */
  readonly memory?: Readonly<Record<string, Tensor>>;
}

/** Prefix of a method's own parameters (`ownParameters`) among all. */
export const OWN_PARAMETERS = "method/";

/** A training method: an objective, and what it needs around it. */
export interface Method {
  /** Name in a run spec. */
  readonly name: string;
  /** True: the network is trained with its quantizers. */
  readonly quantized: boolean;
  /** Independent augmentations of each image. */
  readonly views: 1 | 2;
  /** Places of the views that get RandAugment and cutout after crop and mirror; left out: none. */
  readonly strongViews?: readonly number[];
  /** Images without a label in a step, for each with one; left out or 0: none. */
  readonly unlabelledRatio?: number;
  /** True: the frozen full-precision teacher takes part in the step. */
  readonly usesTeacher: boolean;
  /** Parameters beside the network, by path; called once, outside any program. No forward pass sees them. */
  readonly ownParameters?: (model: Model, seed: number) => Record<string, Tensor>;
  /** Start of the memory, as copies of tensors; called once, outside any program. */
  readonly initialMemory?: (model: Model, student: NetworkTensors) => Record<string, Tensor>;
  /** Plain values of one step, by name: names, shapes and kinds are the same at every step. */
  readonly stepInputs?: (at: StepPosition, model: Model) => Readonly<Record<string, Float32Array | Int32Array>>;
  /** Objective of a step: a pure function of tensors. */
  readonly loss: (inputs: LossInputs) => LossResult;
  /** New memory after the optimizer's update; what is left out stays. */
  readonly afterUpdate?: (
    inputs: { memory: Leaves<Tensor>; student: NetworkTensors; inputs: Leaves<Tensor> },
  ) => Record<string, Tensor>;
  /**
   * Parameters moved away from `params` by the gradients there; those left out stay. The step then takes a second pass and
   * updates `params` with the gradients of the moved ones. Running statistics, memory and metrics are the first pass's.
   */
  readonly ascend?: (params: Leaves<Tensor>, gradients: Leaves<Tensor>) => Record<string, Tensor>;
  /** The network that is evaluated in place of the student, made of existing tensors. */
  readonly evaluated?: (student: NetworkTensors, memory: Leaves<Tensor>) => NetworkTensors;
}

/**
 * Schema of a method's options, made with zod.
 * @internal
 */
export type OptionsSchema = z.ZodType<Record<string, unknown>>;

/** A method by name: one file of this folder and one line of `mod.ts`. */
export interface MethodDefinition {
  /** Name in a run spec. */
  readonly name: string;
  /** The options and their defaults. */
  readonly options: OptionsSchema;
  /** Makes the method from options that `options` has parsed. */
  // deno-lint-ignore no-explicit-any -- what `options` parses to; each file states its own type
  create(options: any): Method;
}
