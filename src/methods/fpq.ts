import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { z } from "zod";
import { relu, uniformPerturbation } from "../engine/ops.ts";
import type { Hooks, Layer } from "../nn/types.ts";
import { noiseState, stream } from "../random/stream.ts";
import { crossEntropy } from "./losses.ts";
import { channelDistance } from "./standardisation.ts";
import type { LossInputs, LossResult, Method, MethodDefinition } from "./types.ts";

const optionsSchema = z.strictObject({
  /** p: how likely a layer's input is perturbed in a step. */
  probability: z.number().min(0).max(1).default(0.1),
  /** Weight of L_CSD. */
  csdWeight: z.number().nonnegative().default(1),
  /** Side of the input's quantizer on which δ is added. */
  place: z.enum(["after", "before"]).default("after"),
});
type Options = z.infer<typeof optionsSchema>;

/**
 * SFP as a hook: δ ~ U[-s/2, s/2] in units of the step size s, so u ~ U[-1/2, 1/2); one draw of `active` a layer.
 * After the quantizer: x̂ + δ = (values + u) s. Before: x + δ = (x / s + u) s, then rounded.
 */
function perturbation(inputs: LossInputs["inputs"], place: Options["place"]): Hooks {
  const perturbed = (layer: Layer, x: Tensor) => {
    const active = tf.reshape(tf.slice(inputs["sfpActive"]!, [layer.index], [1]), []);
    return uniformPerturbation(x, { state: inputs["sfpNoise"]!, stream: layer.index, active });
  };
  const applies = ({ kind }: Layer) => kind !== "dense"; // the paper perturbs the inputs of convolutions
  if (place === "after") {
    return {
      input: (layer, input) => applies(layer) ? { ...input, values: perturbed(layer, input.values) } : input,
    };
  }
  // what is perturbed is the layer's input, so the relu that was left to the quantizer comes first
  return {
    scaled: (layer, x) => applies(layer) ? perturbed(layer, layer.inputSigned ? x : relu(x)) : x,
  };
}

function create({ probability, csdWeight, place }: Options): Method {
  return {
    name: "fpq",
    quantized: true,
    views: 1,
    usesTeacher: csdWeight > 0,
    stepInputs({ seed, step }, model): Record<string, Float32Array | Int32Array> {
      if (probability === 0) return {};
      const draws = stream({ seed, purpose: "perturbation", a: step });
      return {
        sfpActive: Float32Array.from(model.layers, () => draws.uniform() < probability ? 1 : 0),
        sfpNoise: noiseState({ seed, step, purpose: "noise" }),
      };
    },
    loss({ student, teacher, inputs, views, labels, forward }): LossResult {
      const images = views[0]!, ours = new Map<string, Tensor>(), theirs = new Map<string, Tensor>();
      const hooks: Hooks = {
        ...(probability > 0 ? perturbation(inputs, place) : {}),
        ...(csdWeight > 0 ? { output: (layer, y) => void ours.set(layer.path, y) } : {}),
      };
      const { logits, updates } = forward({ network: student, images, training: true, quantized: true, hooks });
      const task = crossEntropy(logits, labels);
      if (!teacher) return { loss: task, logits, updates, metrics: { taskLoss: task } };
      const collect: Hooks = { output: (layer, y) => void theirs.set(layer.path, y) };
      forward({ network: teacher, images, training: false, quantized: false, hooks: collect });
      const distances = [...ours].map(([path, y]) => channelDistance(y, theirs.get(path)!));
      const csd = tf.div(tf.addN(distances), distances.length);
      const loss = tf.add(task, tf.mul(csd, csdWeight));
      return { loss, logits, updates, metrics: { taskLoss: task, csdLoss: csd } };
    },
  };
}

/**
 * FPQ: feature-perturbed quantization, L = CE(f_q(x), y) + L_CSD                                   (Eq. 22)
 *
 * SFP, stochastic feature perturbation (Eq. 9, 14): in training the input of each convolution is perturbed with probability
 * p, one independent draw a layer and step: x^l + δ, δ ~ U[-s^l/2, s^l/2] for each element, s^l the step size of that
 * input's quantizer. To second order this adds E[δ²]/2 Tr(∇²L) to the loss.
 * CSD, channel-wise standardization distillation (Eq. 15-17): ‖z̃_t - z̃_s‖², z̃ = (z - μ) / sqrt(σ² + ε) a channel, summed
 * over the outputs z of all convolutions of the quantized student and the full-precision teacher of the same seed.
 *
 * Defaults: p = 0.1 (best of table 3), weight of L_CSD 1, δ after the quantizer.
 * Assumptions (the paper is silent): δ is added after the quantizer, so that the convolution sees it unrounded (option `place`:
 * before it); δ = s u with u fixed in a step, so the step size's gradient sees it; μ and σ² run over batch, height and width;
 * ε = 1e-5; the teacher is in inference mode; no perturbation of the dense layer.
 * Deviations: L_CSD is the mean over elements, channels and layers instead of the sum, which would dwarf the cross-entropy.
 *
 * @see Pang and Cai 2025, arXiv:2503.11159v1
 */
export const fpq: MethodDefinition = { name: "fpq", options: optionsSchema, create };
