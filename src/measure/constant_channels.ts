import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { z } from "zod";
import type { NetworkTensors } from "../methods/types.ts";
import { channelsLast, ownLeaves, paths } from "../nn/layers.ts";
import type { Leaves } from "../tree.ts";
import type { MeasurementDefinition, Measuring, Subject } from "./types.ts";

const optionsSchema = z.strictObject({});

type Network = NetworkTensors & Record<string, Leaves<Tensor>>;

/** Of a tensor whose last axis is the channels: 1 for a channel whose values are all equal, else 0. */
function constant(values: Tensor): Tensor {
  const rows = tf.reshape(values, [-1, values.shape.at(-1)!]);
  return tf.sum(tf.cast(tf.equal(tf.max(rows, 0), tf.min(rows, 0)), "float32"));
}

function start({ engine, model, quantization }: Subject): Measuring {
  const count = engine.compile(({ network }: { network: Network }) =>
    Object.fromEntries(model.layers.map((layer): [string, Tensor] => {
      const weight = channelsLast(layer, network.params[paths.weight(layer)]!);
      const own = ownLeaves(network, paths.weightQuantizer(layer));
      return [layer.path, constant(quantization[layer.path]!.weight.levels(weight, own))];
    }))
  );
  return {
    measure(network) {
      const counts = count({ network: { ...network } });
      const layers = model.layers.map((layer) => ({
        channels: channelsLast(layer, network.params[paths.weight(layer)]!).shape.at(-1)!,
        constant: counts[layer.path]!.dataSync()[0]!,
      }));
      tf.dispose(Object.values(counts));
      const total = (of: typeof layers, name: "channels" | "constant") => of.reduce((sum, item) => sum + item[name], 0);
      const first = layers.slice(0, 1);
      return {
        channels: total(layers, "channels"),
        constant: total(layers, "constant"),
        firstChannels: total(first, "channels"),
        firstConstant: total(first, "constant"),
      };
    },
    dispose: () => count.dispose(),
  };
}

/**
 * Output channels whose weights the quantizer sends to one level, all of them: in the whole network, and in its first layer.
 *
 *   a channel c is constant if q(w_c) has one value, q the levels of the weight quantizer
 *
 * Where that level stands for 0 the channel's output is 0 for every input, and what follows sees batch norm's shift alone.
 * It tells a step size that has run away from its weights, which an accuracy hides: other channels make up for it. In full
 * precision it counts channels whose weights are equal themselves.
 */
export const constantChannels: MeasurementDefinition = {
  name: "constant_channels",
  options: optionsSchema,
  start,
};
