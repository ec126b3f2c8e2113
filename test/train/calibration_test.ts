import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import { initialise, weightShape } from "../../src/nn/initialise.ts";
import { channelsLast, paths } from "../../src/nn/layers.ts";
import { modelNamed } from "../../src/nn/mod.ts";
import type { Layer } from "../../src/nn/types.ts";
import { QUANTIZERS } from "../../src/quant/mod.ts";
import { POSITIVE_PARAMETERS } from "../../src/quant/parameters.ts";
import type { TensorStatistics } from "../../src/quant/types.ts";
import { inputStatistics, sampleOf, weightStatistics, withQuantizers } from "../../src/train/calibration.ts";
import { quantizationOf } from "../../src/train/quantization.ts";
import { toTensors } from "../../src/train/tensors.ts";
import { testOnEngines } from "../support/engines.ts";

function bits(quantizer: string) {
  return { quantizer, weightBits: 4, activationBits: 4, firstLastBits: 8, calibrationExamples: 1 };
}

Deno.test("weightStatistics() gives range, mean magnitude, mean and standard deviation of each output channel", () => {
  // two channels, last axis: 1 -2 3 -5 and 10 20 -40 50
  const values = Float32Array.of(1, 10, -2, 20, 3, -40, -5, 50);
  // means -3/4 and 10; squared distances 1.75² + 1.25² + 3.75² + 4.25² = 36.75 and 0 + 10² + 50² + 40² = 4200
  assert.deepEqual(weightStatistics(values, 2), {
    min: [-5, -40],
    max: [3, 50],
    meanAbsolute: [11 / 4, 120 / 4],
    mean: [-3 / 4, 10],
    standardDeviation: [Math.sqrt(36.75 / 4), Math.sqrt(4200 / 4)],
  });
  const { min, max, meanAbsolute, mean } = weightStatistics(values, 1);
  assert.deepEqual([min, max, meanAbsolute, mean], [[-40], [50], [131 / 8], [37 / 8]]);
});

testOnEngines("weightStatistics() takes the channels of a convolution, a depthwise one and a dense layer", () => {
  tf.tidy(() => {
    const sizes = { path: "layer", index: 0, stride: 1, reduction: 1, position: "inner", inputSigned: false } as const;
    const layers: Layer[] = [
      { ...sizes, kind: "convolution", kernelSize: 3, inChannels: 2, outChannels: 5 },
      { ...sizes, kind: "depthwise", kernelSize: 3, inChannels: 5, outChannels: 5 },
      { ...sizes, kind: "dense", kernelSize: 1, inChannels: 7, outChannels: 5 },
    ];
    for (const layer of layers) {
      const shape = weightShape(layer), size = tf.util.sizeFromShape(shape);
      const values = Float32Array.from({ length: size }, (_, i) => Math.sin(1.7 * i));
      const statistics = weightStatistics(values, layer.outChannels);
      // by tensor operations, on the layout that quantizers see
      const rows = tf.reshape(channelsLast(layer, tf.tensor(values, shape)), [-1, 5]);
      for (
        const [name, expected] of [["min", tf.min(rows, 0)], ["max", tf.max(rows, 0)], [
          "meanAbsolute",
          tf.mean(tf.abs(rows), 0),
        ]] as const
      ) {
        expected.dataSync().forEach((value, c) =>
          assert.ok(Math.abs(statistics[name][c]! - value) < 1e-6, `${layer.kind}: ${name} of channel ${c}`)
        );
      }
    }
  });
});

for (const quantizer of QUANTIZERS) {
  Deno.test(`withQuantizers() adds start values for the weight and the input of every layer: ${quantizer.name}`, () => {
    for (const name of ["resnet8", "mobilenetv2"]) {
      const model = modelNamed(name).build({ classes: 10, imageChannels: 3 }), network = initialise(model, 1);
      const quantization = quantizationOf(model, bits(quantizer.name))!;
      const inputs = model.layers.map((_, i): TensorStatistics => ({
        min: [0],
        max: [2 + i],
        meanAbsolute: [1 + i],
      }));
      const quantized = withQuantizers(network, model, { quantization, inputs });
      let added = 0;
      model.layers.forEach((layer, i) => {
        const own = quantization[layer.path]!, weight = network.params[paths.weight(layer)]!;
        for (
          const [prefix, start, shape] of [
            [
              paths.weightQuantizer(layer),
              own.weight.start(weightStatistics(weight.values, layer.outChannels)),
              [layer.outChannels],
            ],
            [paths.inputQuantizer(layer), own.input.start(inputs[i]!), []],
          ] as const
        ) {
          for (const [kind, values] of [["params", start.params], ["state", start.constants]] as const) {
            for (const [name, expected] of Object.entries(values)) {
              assert.deepEqual(quantized[kind][prefix + name], { shape, values: expected });
              added++;
            }
          }
          for (const name of POSITIVE_PARAMETERS) {
            assert.ok((quantized.params[prefix + name]?.values ?? []).every((value) => value > 0), prefix + name);
          }
        }
        assert.equal(quantized.params[paths.weight(layer)], weight);
      });
      assert.equal(
        Object.keys({ ...quantized.params, ...quantized.state }).length,
        Object.keys({ ...network.params, ...network.state }).length + added,
      );
      const one = quantization[model.layers[1]!.path]!; // DoReFa learns nothing; every other quantizer has a step size or level
      const learned = Object.keys(one.input.start(inputs[1]!).params).length;
      assert.equal(learned > 0, quantizer.name !== "dorefa");
      assert.ok(added >= learned * model.layers.length);
    }
  });
}

Deno.test("withQuantizers() starts LSQ's step size at 2 <|v|> / sqrt(Q_P)", () => {
  const model = modelNamed("resnet8").build({ classes: 10, imageChannels: 3 }), network = initialise(model, 1);
  const quantization = quantizationOf(model, bits("lsq"))!;
  const inputs = model.layers.map(() => ({ min: [-1], max: [3], meanAbsolute: [0.6] }));
  const { params } = withQuantizers(network, model, { quantization, inputs });
  // the image is signed and has 8 bits: Q_P = 127; an inner layer 4 bits behind a relu: 15
  assert.equal(params["stem/conv/input_quantizer/step_size"]!.values[0], Math.fround(1.2 / Math.sqrt(127)));
  assert.equal(params["stage1/block0/conv1/input_quantizer/step_size"]!.values[0], Math.fround(1.2 / Math.sqrt(15)));
  const { values } = network.params["stage1/block0/conv1/weight"]!; // channel 3 of 16; signed, 4 bits: Q_P = 7
  const channel = values.filter((_, i) => i % 16 === 3);
  const mean = channel.reduce((sum, value) => sum + Math.abs(value), 0) / channel.length;
  const step = params["stage1/block0/conv1/weight_quantizer/step_size"]!.values[3]!;
  assert.ok(Math.abs(step / (2 * mean / Math.sqrt(7)) - 1) < 1e-6);
});

testOnEngines("inputStatistics() sees the normalised images first and what every relu leaves after", (engine) => {
  const model = modelNamed("resnet8").build({ classes: 10, imageChannels: 3 }), data = initialise(model, 1);
  const before = tf.memory().numTensors;
  const network = { params: toTensors(data.params), state: toTensors(data.state) };
  const bytes = Int32Array.from({ length: 2 * 8 * 8 * 3 }, (_, i) => (i * 37) % 256);
  const images = tf.tensor(bytes, [2, 8, 8, 3], "int32"), scale = { mean: [0.5, 0.4, 0.3], std: [0.25, 0.2, 0.5] };
  const statistics = inputStatistics(engine, model, { network, images, scale });
  tf.dispose([images, network.params, network.state] as unknown as tf.Tensor[]);
  assert.equal(tf.memory().numTensors, before);
  assert.equal(statistics.length, model.layers.length);
  const normalised = Array.from(bytes, (byte, i) => (byte / 255 - scale.mean[i % 3]!) / scale.std[i % 3]!);
  const mean = normalised.reduce((sum, value) => sum + Math.abs(value), 0) / normalised.length;
  for (
    const [actual, expected] of [
      [statistics[0]!.min[0]!, Math.min(...normalised)],
      [statistics[0]!.max[0]!, Math.max(...normalised)],
      [statistics[0]!.meanAbsolute[0]!, mean],
    ] as const
  ) assert.ok(Math.abs(actual - expected) < 1e-5, `${actual} instead of ${expected}`);
  for (const { min, max, meanAbsolute } of statistics.slice(1)) {
    assert.ok(min[0]! >= 0 && max[0]! > meanAbsolute[0]! && meanAbsolute[0]! > 0);
  }
});

testOnEngines("sampleOf() takes at most 16,384 evenly spaced values, from every channel alike", () => {
  tf.tidy(() => {
    const all = tf.range(0, 12).reshape([1, 2, 2, 3]);
    assert.deepEqual([...sampleOf(all).dataSync()], [...all.dataSync()]);
    for (const channels of [3, 16, 96]) {
      const shape: [number, number, number, number] = [20, 16, 16, channels], size = 20 * 16 * 16 * channels;
      // each value is its channel
      const x = tf.tensor4d(Float32Array.from({ length: size }, (_, i) => i % channels), shape);
      const sample = [...sampleOf(x).dataSync()];
      assert.ok(sample.length <= 2 ** 14 && sample.length > 2 ** 12, `${sample.length} of ${size}`);
      const counts = Array.from({ length: channels }, (_, c) => sample.filter((value) => value === c).length);
      assert.ok(Math.max(...counts) - Math.min(...counts) <= 1, `${counts}`);
    }
  });
});

testOnEngines(
  "inputStatistics() samples the values for quantizers that start from them, and for no other",
  (engine) => {
    const model = modelNamed("resnet8").build({ classes: 10, imageChannels: 3 }), data = initialise(model, 1);
    const before = tf.memory().numTensors;
    const network = { params: toTensors(data.params), state: toTensors(data.state) };
    const bytes = Int32Array.from({ length: 2 * 8 * 8 * 3 }, (_, i) => (i * 37) % 256);
    const images = tf.tensor(bytes, [2, 8, 8, 3], "int32"), scale = { mean: [0.5, 0.4, 0.3], std: [0.25, 0.2, 0.5] };
    const of = (quantizer: string) => {
      const quantization = quantizationOf(model, bits(quantizer))!;
      return { quantization, inputs: inputStatistics(engine, model, { network, images, scale, quantization }) };
    };
    const plain = of("lsq").inputs, { quantization, inputs } = of("lsq_plus");
    tf.dispose([images, network.params, network.state] as unknown as tf.Tensor[]);
    assert.equal(tf.memory().numTensors, before);
    assert.deepEqual(inputs.map(({ values: _, ...rest }) => rest), plain);
    assert.ok(plain.every(({ values }) => values === undefined));
    const first = inputs[0]!.values!; // small enough to be all of it
    assert.equal(first.length, bytes.length);
    bytes.forEach((byte, i) =>
      assert.ok(Math.abs(first[i]! - (byte / 255 - scale.mean[i % 3]!) / scale.std[i % 3]!) < 1e-5)
    );
    for (const { values, min, max } of inputs) {
      for (const value of values!) assert.ok(value >= min[0]! && value <= max[0]!);
    }
    // the start values then differ from those of the range
    const [searched, ranged] = [inputs, plain].map((inputs) =>
      withQuantizers(data, model, { quantization, inputs }).params["stage1/block0/conv2/input_quantizer/step_size"]!
        .values[0]!
    );
    assert.ok(searched! > 0 && searched! < ranged!, `${searched} ${ranged}`);
  },
);
