import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { z } from "zod";
import type { NetworkTensors } from "../methods/types.ts";
import { channelsLast, ownLeaves, paths } from "../nn/layers.ts";
import { UNQUANTIZED_BITS } from "./probed.ts";
import type { MeasurementDefinition, Measuring, Subject } from "./types.ts";

const optionsSchema = z.strictObject({});

/** Highest - lowest + 1 of each channel of integers; channels are the last axis. */
function spans(levels: Tensor): Tensor {
  const rows = tf.reshape(levels, [-1, levels.shape.at(-1)!]);
  return tf.add(tf.sub(tf.max(rows, 0), tf.min(rows, 0)), 1);
}

function start({ engine, model, quantization }: Subject): Measuring {
  const spansOf = engine.compile(({ network }: { network: NetworkTensors }) =>
    Object.fromEntries(model.layers.map((layer): [string, Tensor] => {
      const weight = channelsLast(layer, network.params[paths.weight(layer)]!);
      const own = ownLeaves(network, paths.weightQuantizer(layer));
      return [layer.path, spans(quantization[layer.path]!.weight.levels(weight, own))];
    }))
  );
  return {
    measure(network) {
      const outputs = spansOf({ network });
      const shares = model.layers.map(({ path }) => {
        const { bits } = quantization[path]!.weight;
        return [...outputs[path]!.dataSync()].map((span) => bits === UNQUANTIZED_BITS ? 1 : span / 2 ** bits);
      });
      tf.dispose(Object.values(outputs));
      return { first: shares[0]!, others: shares.slice(1).flat() };
    },
    dispose: () => spansOf.dispose(),
  };
}

/**
 * Share of its levels that each output channel of a weight takes: of the first layer, and of all others.
 *
 *   share of channel c = (max q(w_c) - min q(w_c) + 1) / 2^b,  q the levels of the weight quantizer;  1 in full precision
 *
 * A channel whose step size has run away from its weights takes two or three of 256 levels. An accuracy hides that, as batch
 * norm undoes the scale and other channels make up for the rest.
 */
export const levelSpan: MeasurementDefinition = { name: "level_span", options: optionsSchema, start };
