import { z } from "zod";
import { ownLeaves, ownNumbers, paths } from "../nn/layers.ts";
import type { MeasurementDefinition, Measuring, Subject } from "./types.ts";

const optionsSchema = z.strictObject({});

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + Math.abs(value), 0) / values.length;
}

function start({ model, quantization, quantized }: Subject): Measuring {
  return {
    measure(network) {
      if (!quantized) return { weights: [], inputs: [] };
      const grids = model.layers.map((layer) => {
        const { weight, input } = quantization[layer.path]!;
        const values = network.params[paths.weight(layer)]!.dataSync() as Float32Array;
        return {
          weight: weight.grid?.(ownNumbers(ownLeaves(network, paths.weightQuantizer(layer))), values),
          input: input.grid?.(ownNumbers(ownLeaves(network, paths.inputQuantizer(layer)))),
        };
      });
      return {
        weights: grids.flatMap(({ weight }) => weight ? [mean(weight.scale)] : []),
        inputs: grids.flatMap(({ input }) => input ? [mean(input.scale)] : []),
      };
    },
    dispose: () => {},
  };
}

/**
 * Step size of each layer's weight, averaged over its output channels, and of its input.
 *
 *   weights_l = mean over channels c of |s_lc|,  inputs_l = |s_l|,  in the order of the layers;  none in full precision
 *
 * Quantizers without a learned step size (PACT, DoReFa) have the distance of two levels.
 */
export const stepSizes: MeasurementDefinition = { name: "step_sizes", options: optionsSchema, start };
