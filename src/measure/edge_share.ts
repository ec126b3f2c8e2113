import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { z } from "zod";
import type { NetworkTensors } from "../methods/types.ts";
import { channelsLast, ownLeaves, ownNumbers, paths } from "../nn/layers.ts";
import type { MeasurementDefinition, Measuring, Subject } from "./types.ts";

const optionsSchema = z.strictObject({
  /** In steps: above 0, below 1/2. */
  distance: z.number().gt(0).lt(0.5).default(0.01),
});

function start(
  { engine, model, quantization, quantized }: Subject,
  { distance }: z.infer<typeof optionsSchema>,
): Measuring {
  if (!quantized) return { measure: () => ({ layers: [], share: 0 }), dispose: () => {} };
  type Inputs = { network: NetworkTensors; shifts: Record<string, Tensor> };
  const crossings = engine.compile(({ network, shifts }: Inputs) =>
    Object.fromEntries(model.layers.map((layer): [string, Tensor] => {
      const weight = channelsLast(layer, network.params[paths.weight(layer)]!), shift = shifts[layer.path]!;
      const levels = (moved: Tensor) =>
        quantization[layer.path]!.weight.levels(moved, ownLeaves(network, paths.weightQuantizer(layer)));
      const crosses = tf.notEqual(levels(tf.add(weight, shift)), levels(tf.sub(weight, shift)));
      return [layer.path, tf.sum(tf.cast(crosses, "float32"))];
    }))
  );
  return {
    measure(network) {
      const shifts = Object.fromEntries(model.layers.map((layer) => {
        const raw = network.params[paths.weight(layer)]!.dataSync() as Float32Array;
        const grid = quantization[layer.path]!.weight.grid!(
          ownNumbers(ownLeaves(network, paths.weightQuantizer(layer))),
          raw,
        );
        return [layer.path, tf.tensor1d([...grid.scale].map((step) => distance * Math.abs(step)))];
      }));
      const found = crossings({ network, shifts });
      const sizes = model.layers.map((layer) => network.params[paths.weight(layer)]!.size);
      const counts = model.layers.map(({ path }) => found[path]!.dataSync()[0]!);
      tf.dispose([found, shifts] as unknown as Tensor[]);
      const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
      return { layers: counts.map((count, i) => count / sizes[i]!), share: sum(counts) / sum(sizes) };
    },
    dispose: () => crossings.dispose(),
  };
}

/**
 * Share of the weights that lie near a rounding edge, where the next update may move them to another level.
 *
 *   share_l = #{w of layer l : q(w + d s) ≠ q(w - d s)} / N_l,  q the levels, s the step size, d = `distance`
 *
 * Weights spread evenly between the edges give 2 d (0.02 by default); of weights that oscillate between two levels until the
 * learning rate is 0, many end at an edge. Values: the shares of all layers, and that of all weights. For quantizers that
 * transform a weight before they round it (DoReFa, PACT), s is the distance of two levels all the same.
 *
 * Source: oscillating weights, Nagel et al., ICML 2022, arXiv:2203.11086.
 */
export const edgeShare: MeasurementDefinition = { name: "edge_share", options: optionsSchema, start };
