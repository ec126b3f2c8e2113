/** A work's training step, run again and again. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import type { Engine } from "../../../src/engine/types.ts";
import type { NetworkTensors } from "../../../src/methods/types.ts";
import { compileStep, trainingStep, type TrainingTensors } from "../../../src/train/step.ts";
import type { Leaves } from "../../../src/tree.ts";
import { methodInputs, stepOptions, type Work } from "../work.ts";

/** State that steps start from. */
export interface Start {
  readonly work: Work;
  /** Taken over by the stepper, which disposes it. */
  readonly training: TrainingTensors;
  readonly teacher: NetworkTensors;
  readonly images: Leaves<Tensor>;
  readonly labels: Tensor;
}

/** Steps of a work; a call runs one. */
export interface Stepper {
  /**
   * Runs a step, and gives its loss, read as in a training.
   * @param timed How many timed steps were before it; null: its loss is compared.
   */
  step(timed: number | null): number;
  /** As they are now. */
  training(): TrainingTensors;
}

/** Compiles the step of a work. */
export function stepperOf(engine: Engine, { work, teacher, images, labels, ...start }: Start): Stepper {
  const program = compileStep(engine, trainingStep(stepOptions(work)));
  const fixed = { teacher: { ...teacher }, images, crops: {}, labels, learningRate: tf.scalar(work.learningRate) };
  const inputsOf = methodInputs(work);
  let training = start.training;
  return {
    training: () => training,
    step(timed) {
      const inputs = Object.fromEntries(
        Object.entries(inputsOf(timed)).map(([name, values]) => [
          name,
          tf.tensor1d(values, values instanceof Int32Array ? "int32" : "float32"),
        ]),
      );
      const outputs = program({ ...fixed, training, inputs });
      const value = outputs.metrics["loss"]!.dataSync()[0]!;
      outputs.metrics["correct"]!.dataSync();
      tf.dispose([training, inputs, outputs.metrics] as unknown as Tensor[]);
      training = outputs.training;
      return value;
    },
  };
}
