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

/** Input of a calibration: a full-precision pass over `images` (int32 bytes). */
interface CalibrationPass {
  readonly network: NetworkTensors;
  readonly images: Tensor;
  readonly scale: ImageScale;
  /** True: norms take the statistics of the batch, as in training. @default false */
  readonly training?: boolean;
}

/** At most so many values of a layer's input are sampled. */
const SAMPLE_SIZE = 2 ** 14;

/**
 * Evenly spaced values of a tensor, [at most 16,384]; their distance shares no factor with the number of channels, which
 * come last, so that every channel has its part. Their rest at the end is left out.
 */
export function sampleOf(x: Tensor): Tensor {
  const divisor = (a: number, b: number): number => b === 0 ? a : divisor(b, a % b);
  let distance = Math.ceil(x.size / SAMPLE_SIZE);
  while (divisor(distance, x.shape.at(-1) ?? 1) > 1) distance++;
  const count = Math.floor(x.size / distance);
  // by reshaping and slicing, as a gathering cannot be recorded
  const rows = tf.reshape(tf.slice(tf.reshape(x, [-1]), [0], [count * distance]), [count, distance]);
  return tf.reshape(tf.slice(rows, [0, 0], [count, 1]), [count]);
}

/** Statistics of every layer's input; of layers whose quantizers in `quantization` start from the values, with a sample. */
export function inputStatistics(
  engine: Engine,
  model: Model,
  options: CalibrationPass & { quantization?: ModelQuantization },
): TensorStatistics[] {
  const program = engine.compile(({ network, images }: { network: NetworkTensors; images: Tensor }) => {
    const rows: Tensor[] = [], samples: Record<string, Tensor> = {};
    forward(model, null, {
      network,
      images: normaliseImages(images, options.scale),
      training: options.training ?? false,
      quantized: false,
      hooks: {
        observe: ({ path }: Layer, x) => {
          rows.push(tf.stack([tf.min(x), tf.max(x), tf.mean(tf.abs(x))]));
          if (options.quantization?.[path]?.input.startsFromValues) samples[path] = sampleOf(x);
        },
      },
    });
    return { rows: tf.stack(rows), samples }; // [layers, 3]
  });
  const { rows, samples } = program({ network: options.network, images: options.images });
  const values = rows.dataSync();
  const statistics = model.layers.map(({ path }, i) => ({
    min: [values[3 * i]!],
    max: [values[3 * i + 1]!],
    meanAbsolute: [values[3 * i + 2]!],
    ...(samples[path] ? { values: samples[path].dataSync() as Float32Array } : {}),
  }));
  tf.dispose([rows, ...Object.values(samples)]);
  program.dispose();
  return statistics;
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
