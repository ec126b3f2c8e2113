/** What of a run does not change while it runs, checked before anything is computed. */
import { stepsPerEpoch } from "../data/batches.ts";
import { chooseLabelled, type LabelledSplit } from "../data/labelled.ts";
import { splitTraining } from "../data/splits.ts";
import type { Dataset } from "../data/types.ts";
import { InputError } from "../errors.ts";
import { createMethod } from "../methods/mod.ts";
import { modelNamed } from "../nn/mod.ts";
import type { TrainRequest } from "../record/trainer.ts";
import { quantizationOf, requireRevision } from "./quantization.ts";
import type { StepSource } from "./step_inputs.ts";

/** Everything of a run that does not change while it runs. */
export interface Frame extends StepSource {
  readonly request: TrainRequest;
  /** Null: full precision. */
  readonly quantization: ReturnType<typeof quantizationOf>;
  /** The images whose accuracy counts: of the test set, or held out of the training set. */
  readonly evaluated: { readonly split: Dataset["test"]; readonly indices: Uint32Array };
  /** Of the whole run. */
  readonly steps: number;
}

/** @throws {InputError} If method, quantizer and images of the spec do not go together. */
export function frameOf(request: TrainRequest): Frame {
  const { spec, dataset } = request;
  const model = modelNamed(spec.model).build({ classes: dataset.classes, imageChannels: dataset.imageShape[2] });
  const method = createMethod(spec.method);
  requireRevision(spec.quantization);
  const quantization = quantizationOf(model, spec.quantization);
  if (method.quantized !== (quantization !== null)) {
    throw new InputError(
      `Cannot run method ${method.name} ${quantization ? "with" : "without"} a quantizer: ` +
        `${method.quantized ? "give the run bits and a quantizer" : "full precision takes none"}`,
    );
  }
  const { training, heldOut } = splitTraining(dataset.train, spec.dataset);
  const { labelled: indices, unlabelled } = labelledParts(request, training);
  if ((method.unlabelledRatio ?? 0) > 0 && unlabelled.length === 0) {
    throw new InputError(
      `Cannot run method ${method.name} with unlabelled images as every training image has its label: give the data set ` +
        "a labelledFraction, or the method unlabelledRatio 0",
    );
  }
  // an epoch has the steps of all training images, whatever part of them has labels: equal fractions, equal budgets
  const perEpoch = stepsPerEpoch(training.length, spec.recipe.batchSize);
  return {
    request,
    spec,
    dataset,
    model,
    method,
    quantization,
    indices,
    unlabelled,
    evaluated: spec.dataset.evaluateOn === "heldOut"
      ? { split: dataset.train, indices: heldOut }
      : { split: dataset.test, indices: firstIndices(spec.dataset.testExamples ?? dataset.test.count) },
    stepsPerEpoch: perEpoch,
    steps: perEpoch * spec.recipe.epochs,
  };
}

function labelledParts({ spec, dataset }: TrainRequest, indices: Uint32Array): LabelledSplit {
  const fraction = spec.dataset.labelledFraction;
  if (fraction === undefined) return { labelled: indices, unlabelled: new Uint32Array() };
  return chooseLabelled(dataset.train, { indices, classes: dataset.classes, fraction, seed: spec.seed });
}

function firstIndices(count: number): Uint32Array {
  return Uint32Array.from({ length: count }, (_, i) => i);
}
