import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { cropFlip, oneHot } from "../engine/ops.ts";
import type { Compiled, CompileOptions, Engine, Program } from "../engine/types.ts";
import type { LossResult, Method } from "../methods/types.ts";
import type { Model, ModelQuantization } from "../nn/types.ts";
import type { Leaves } from "../tree.ts";
import { forward, type ImageScale, normaliseImages } from "./forward.ts";
import { valueAndGradients } from "./gradients.ts";
import { sgd, type SgdOptions } from "./optimizer.ts";

/** All tensors of a run that a step changes, by kind and path. */
export type TrainingTensors = {
  readonly params: Leaves<Tensor>;
  readonly velocity: Leaves<Tensor>;
  readonly state: Leaves<Tensor>;
  readonly memory: Leaves<Tensor>;
};

/** Inputs of one step. */
export type StepInputs = {
  readonly training: TrainingTensors;
  /** Empty unless the method uses the teacher. */
  readonly teacher: { readonly params: Leaves<Tensor>; readonly state: Leaves<Tensor> };
  /** `view0`, and `view1` where the method has two: int32 bytes [batch, h, w, c]; and `unlabelled0`, `unlabelled1`. */
  readonly images: Leaves<Tensor>;
  /** `crops` of `cropFlip` by the name of the images that the step crops and mirrors. */
  readonly crops: Leaves<Tensor>;
  /** int32 [batch]. */
  readonly labels: Tensor;
  readonly inputs: Leaves<Tensor>;
  readonly learningRate: Tensor;
};

/** Outputs of one step. */
export type StepOutputs = {
  readonly training: TrainingTensors;
  /** Scalars: `loss`, `correct` (how many of the batch), `ascendedLoss` where the method ascends, and the method's own. */
  readonly metrics: Leaves<Tensor>;
};

/** Parts of a training step. */
export interface StepOptions extends Omit<SgdOptions, "reflectsStepSizes"> {
  readonly model: Model;
  readonly quantization: ModelQuantization | null;
  readonly method: Method;
  readonly scale: ImageScale;
}

/** Names of a run's own numbers, which no metric of a method may have. */
const RESERVED_METRICS = ["loss", "correct", "ascendedLoss", "top1Percent"] as const;

/** @throws {RangeError} If the result of a method's loss does not fit the step. */
function requireFitting({ metrics, logits }: LossResult, { method, shape }: { method: string; shape: number[] }): void {
  if (!tf.util.arraysEqual(logits.shape, shape)) {
    throw new RangeError(
      `Cannot train with method ${method} as its logits have shape [${logits.shape.join(", ")}], not [${
        shape.join(", ")
      }]: return those of the first view, [batch, classes]`,
    );
  }
  const reserved = RESERVED_METRICS.find((name) => name in metrics);
  if (reserved !== undefined) {
    throw new RangeError(
      `Cannot train with method ${method} as its metric "${reserved}" has the name of a run's own number: ` +
        `choose another name than ${RESERVED_METRICS.join(", ")}`,
    );
  }
}

/** The fast form of a step, which may write over the tensors of `training`. */
export function compileStep(
  engine: Engine,
  step: Program<StepInputs, StepOutputs>,
  options: CompileOptions = {},
): Compiled<StepInputs, StepOutputs> {
  return engine.compile(step, { ...options, consumes: ["training"] });
}

/** One training step as a program: forward, backward (twice where the method ascends), update, the method's memory. */
export function trainingStep(options: StepOptions): (inputs: StepInputs) => StepOutputs {
  const { model, quantization, method } = options;
  const reflectsStepSizes = Object.values(quantization ?? {}).some(({ weight }) => weight.reflectsStepSizes);
  return ({ training, teacher, images, crops, labels, inputs, learningRate }) => {
    const cropped = (name: string) => crops[name] ? cropFlip(images[name]!, crops[name]) : images[name]!;
    const normalised = (kind: string) =>
      Object.keys(images).filter((name) => name.startsWith(kind)).sort()
        .map((name) => normaliseImages(cropped(name), options.scale));
    const views = normalised("view"), unlabelled = normalised("unlabelled");
    const targets = oneHot(labels, model.classes);
    const pass = (params: Leaves<Tensor>) =>
      valueAndGradients(params, (params) => {
        const result = method.loss({
          model,
          quantization,
          student: { params, state: training.state },
          teacher: method.usesTeacher ? teacher : null,
          memory: training.memory,
          inputs,
          views,
          unlabelled,
          labels: targets,
          forward: (how) => forward(model, quantization, how),
        });
        requireFitting(result, { method: method.name, shape: targets.shape });
        const hits = tf.equal(tf.argMax(result.logits, 1), labels);
        const correct = tf.sum(tf.cast(hits, "float32"));
        const metrics: Record<string, Tensor> = { ...result.metrics, correct };
        return { loss: result.loss, aux: { updates: { ...result.updates }, memory: { ...result.memory }, metrics } };
      });
    const { loss, gradients, aux } = pass(training.params), moved = method.ascend?.(training.params, gradients);
    const ascended = moved ? pass({ ...training.params, ...moved }) : null;
    const updated = sgd(training.params, ascended?.gradients ?? gradients, {
      ...options,
      reflectsStepSizes,
      velocity: training.velocity,
      rate: learningRate,
    });
    const state = { ...training.state, ...aux.updates };
    const memory = { ...training.memory, ...aux.memory };
    const later = method.afterUpdate?.({ memory, student: { params: updated.params, state }, inputs }) ?? {};
    return {
      training: { params: updated.params, velocity: updated.velocity, state, memory: { ...memory, ...later } },
      metrics: { ...aux.metrics, loss, ...(ascended ? { ascendedLoss: ascended.loss } : {}) },
    };
  };
}
