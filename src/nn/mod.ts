/**
 * Models: pure functions of named tensors, one line here for each.
 *
 * A model of your own is a `ModelDefinition`: layers and norms from a `ModelBuilder`, and a forward pass made of
 * `applyLayer`, `normalise` and `normActivationLayer`.
 *
 * @example Build ResNet-20 and predict with its initial values
 * ```ts
 * import { openEngine } from "@requant/requant/engine";
 * import { initialise, modelNamed } from "@requant/requant/nn";
 * import { tensor, zeros } from "npm:@tensorflow/tfjs-core@4.22.0";
 * import assert from "node:assert/strict";
 *
 * await openEngine("wasm");
 * const model = modelNamed("resnet20").build({ classes: 10, imageChannels: 3 });
 * const { params, state } = initialise(model, 0);
 * const tensors = (leaves: typeof params) =>
 *   Object.fromEntries(Object.entries(leaves).map(([path, { values, shape }]) => [path, tensor(values, [...shape])]));
 * const context = {
 *   params: tensors(params),
 *   state: tensors(state),
 *   training: false,
 *   quantization: null, // or the quantizers of each layer, by its path
 *   hooks: {},
 *   updates: {},
 * };
 * const { logits } = model.forward(context, zeros([2, 32, 32, 3]));
 * assert.deepEqual(logits.shape, [2, 10]);
 * ```
 * @module
 */
import { unknownValue } from "../errors.ts";
import { mobilenetV1, mobilenetV1ImageNet } from "./mobilenet_v1.ts";
import { mobilenetV2, mobilenetV2ImageNet, mobilenetV2Narrow } from "./mobilenet_v2.ts";
import { resnet18, resnet18ImageNet, resnet20, resnet8 } from "./resnet.ts";
import { resnet50, resnet50ImageNet } from "./resnet50.ts";
import type { ModelDefinition } from "./types.ts";

export { relu, relu6 } from "../engine/ops.ts";
export type { Tensor } from "../engine/types.ts";
export type { ActivationQuantizer, WeightQuantizer } from "../quant/types.ts";
export type { Leaves } from "../tree.ts";
export { ModelBuilder } from "./builder.ts";
export { initialise, type NetworkData, type TensorData } from "./initialise.ts";
export { type Activation, applyLayer, normActivationLayer, normalise } from "./layers.ts";
export type * from "./types.ts";

/** All models that a run spec can name. */
export const MODELS: readonly ModelDefinition[] = [
  resnet8,
  resnet20,
  resnet18,
  resnet50,
  mobilenetV1,
  mobilenetV2,
  mobilenetV2Narrow,
  resnet18ImageNet,
  resnet50ImageNet,
  mobilenetV1ImageNet,
  mobilenetV2ImageNet,
];

/** Finds a model. @throws {InputError} If there is no model of that name. */
export function modelNamed(name: string): ModelDefinition {
  const found = MODELS.find((model) => model.name === name);
  if (found) return found;
  throw unknownValue("model", name, MODELS.map(({ name }) => name));
}
