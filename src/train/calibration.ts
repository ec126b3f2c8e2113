import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import type { Engine } from "../engine/types.ts";
import type { NetworkTensors } from "../methods/types.ts";
import type { NetworkData, TensorData } from "../nn/initialise.ts";
import { paths } from "../nn/layers.ts";
import type { Layer, Model, ModelQuantization } from "../nn/types.ts";
import type { QuantizerStart, TensorStatistics, WeightStatistics } from "../quant/types.ts";
import { forward, type ImageScale, normaliseImages } from "./forward.ts";

/** Statistics of a weight, one number an output channel (which is the flat index modulo their number, in every layout). */
export function weightStatistics(values: Float32Array, channels: number): WeightStatistics {
  const min = new Array<number>(channels).fill(Infinity), max = new Array<number>(channels).fill(-Infinity);
  const magnitude = new Array<number>(channels).fill(0), sum = new Array<number>(channels).fill(0);
  values.forEach((value, i) => {
    const channel = i % channels;
    min[channel] = Math.min(min[channel]!, value);
    max[channel] = Math.max(max[channel]!, value);
    magnitude[channel]! += Math.abs(value);
    sum[channel]! += value;
  });
  const average = (totals: readonly number[]) => totals.map((total) => total * channels / values.length);
  const mean = average(sum), squares = new Array<number>(channels).fill(0);
  values.forEach((value, i) => squares[i % channels]! += (value - mean[i % channels]!) ** 2);
  const standardDeviation = average(squares).map(Math.sqrt);
  return { min, max, meanAbsolute: average(magnitude), mean, standardDeviation };
}

/** Statistics of every layer's input over `images` (int32 bytes) in a full-precision pass at inference. */
export function inputStatistics(
  engine: Engine,
  model: Model,
  options: { network: NetworkTensors; images: Tensor; scale: ImageScale },
): TensorStatistics[] {
  const program = engine.compile(
    (inputs: { network: { params: Record<string, Tensor>; state: Record<string, Tensor> }; images: Tensor }) => {
      const rows: Tensor[] = [];
      forward(model, null, {
        network: inputs.network,
        images: normaliseImages(inputs.images, options.scale),
        training: false,
        quantized: false,
        hooks: { observe: (_, x) => void rows.push(tf.stack([tf.min(x), tf.max(x), tf.mean(tf.abs(x))])) },
      });
      return { rows: tf.stack(rows) }; // [layers, 3]
    },
  );
  const { params, state } = options.network;
  const { rows } = program({ network: { params: { ...params }, state: { ...state } }, images: options.images });
  const values = rows.dataSync();
  rows.dispose();
  program.dispose();
  return model.layers.map((_, i) => ({
    min: [values[3 * i]!],
    max: [values[3 * i + 1]!],
    meanAbsolute: [values[3 * i + 2]!],
  }));
}

/** The full-precision network with the start values of every quantizer added. */
export function withQuantizers(
  network: NetworkData,
  model: Model,
  options: { quantization: ModelQuantization; inputs: readonly TensorStatistics[] },
): NetworkData {
  const params: Record<string, TensorData> = { ...network.params }, state = { ...network.state };
  const add = (prefix: string, start: QuantizerStart, shape: (size: number) => number[]) => {
    for (const [name, values] of Object.entries(start.params)) {
      params[prefix + name] = { shape: shape(values.length), values };
    }
    for (const [name, values] of Object.entries(start.constants)) {
      state[prefix + name] = { shape: shape(values.length), values };
    }
  };
  model.layers.forEach((layer: Layer, i) => {
    const { weight, input } = options.quantization[layer.path]!;
    const values = network.params[paths.weight(layer)]!.values;
    add(paths.weightQuantizer(layer), weight.start(weightStatistics(values, layer.outChannels)), (size) => [size]);
    add(paths.inputQuantizer(layer), input.start(options.inputs[i]!), () => []);
  });
  return { params, state };
}
