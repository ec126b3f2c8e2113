/** ONNX Runtime and our engine compute the same integers, for every model and every quantizer. */
import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import { leastBits } from "../../src/catalog/least_bits.ts";
import { openEngine } from "../../src/engine/mod.ts";
import type { Engine } from "../../src/engine/types.ts";
import { channelsBehind, channelsFirst } from "../../src/export/image_layout.ts";
import { Inspection } from "../../src/export/inspection.ts";
import { LayerComparer, layerInputs } from "../../src/export/layer_comparison.ts";
import { exportedNetwork, type ExportSource } from "../../src/export/network.ts";
import { parseOnnx, withOutputs } from "../../src/export/onnx_file.ts";
import { INPUT, inputIntegers, OUTPUT, quantizeDequantizeFile } from "../../src/export/quantize_dequantize.ts";
import { OnnxSession } from "../../src/export/runtime/onnx_session.ts";
import { MODELS } from "../../src/nn/mod.ts";
import { QUANTIZERS } from "../../src/quant/mod.ts";
import { forward, normaliseImages } from "../../src/train/forward.ts";
import { randomImages, smallNetwork } from "../support/small_network.ts";

const DATASET = randomImages(4), { images, count } = DATASET.test, [HEIGHT, WIDTH, CHANNELS] = DATASET.imageShape;
const FEED = {
  [INPUT]: { type: "uint8", data: channelsFirst(images, DATASET.imageShape), dims: [count, CHANNELS, HEIGHT, WIDTH] },
};

function ownLogits({ model, quantization, network }: ExportSource): Float32Array {
  return tf.tidy(() => {
    const bytes = tf.tensor(Int32Array.from(images), [count, ...DATASET.imageShape], "int32");
    const pass = {
      network,
      images: normaliseImages(bytes, DATASET),
      training: false,
      quantized: quantization !== null,
    };
    return Float32Array.from(forward(model, quantization, pass).logits.dataSync());
  });
}

/** The largest difference of two lists relative to the largest value. */
function relativeDifference(found: Float32Array, expected: Float32Array): number {
  const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return found.reduce((most, value, i) => Math.max(most, Math.abs(value - expected[i]!)), 0) / largest;
}

async function compare(engine: Engine, source: ExportSource, packed: boolean) {
  const bytes = quantizeDequantizeFile(exportedNetwork(source), { metadata: {}, packed });
  const file = parseOnnx(bytes, "network.onnx"), { layers } = source.model;
  const names = layers.map(({ path }) => inputIntegers(path));
  await using session = await OnnxSession.open(withOutputs(file, names));
  const { values } = await session.run(FEED, [OUTPUT, ...names]);
  const reader = layerInputs(engine, { model: source.model, quantization: source.quantization!, scale: DATASET });
  const tensor = tf.tensor(Int32Array.from(images), [count, ...DATASET.imageShape], "int32");
  const ours = reader.of(source.network, tensor), comparer = new LayerComparer(layers);
  tensor.dispose();
  reader.dispose();
  comparer.add(count, ({ path }) => {
    const { data, dims } = values[inputIntegers(path)]!, found = data as Uint8Array;
    const theirs = dims.length === 4 ? channelsBehind(found, dims.slice(1) as [number, number, number]) : found;
    return { ours: ours.integers[path]!, unrounded: ours.unrounded[path]!, theirs };
  });
  return { comparison: comparer.result, file, logits: values[OUTPUT]!.data as Float32Array };
}

/** Registers a test on engine wasm, which every machine has; engines agree with each other in test/engine. */
function testOnWasm(name: string, body: (engine: Engine) => Promise<void>): void {
  Deno.test(name, async () => {
    const engine = await openEngine("wasm");
    await tf.setBackend("wasm");
    await body(engine);
  });
}

// one of each kind; their quantized forms below are those of all models
for (const name of ["resnet20", "resnet18_imagenet", "mobilenetv1", "mobilenetv2_narrow"]) {
  testOnWasm(`${name} in full precision has the logits of our engine in ONNX Runtime`, async (engine) => {
    const source = smallNetwork(engine, DATASET, { model: name, quantizer: null, bits: 0 });
    const file = quantizeDequantizeFile(exportedNetwork(source), { metadata: {} });
    await using session = await OnnxSession.open(file);
    const { values } = await session.run(FEED, [OUTPUT]);
    // sums of up to 4,608 products in another order, and a batch norm that is folded
    assert.ok(relativeDifference(values[OUTPUT]!.data as Float32Array, ownLogits(source)) < 1e-4);
    source.dispose();
  });
}

const CASES = [
  ...MODELS.map(({ name }) => ({ model: name, quantizer: "lsq", bits: 4 })),
  ...QUANTIZERS.flatMap(({ name }) =>
    [1, 2, 8].filter((bits) => bits >= leastBits(name, "weight")).map((bits) => ({
      model: "resnet8",
      quantizer: name,
      bits,
    }))
  ),
  { model: "mobilenetv2_narrow", quantizer: "lsq_plus", bits: 2 },
];

for (const options of CASES) {
  const { model, quantizer, bits } = options;
  testOnWasm(
    `${model}, ${quantizer}, ${bits} bits: the integers of all layers are equal but for ties`,
    async (engine) => {
      const source = smallNetwork(engine, DATASET, options);
      const { comparison, file, logits } = await compare(engine, source, false);
      assert.ok(comparison.every(({ integers }) => integers > 0));
      assert.deepEqual(comparison.filter(({ first, ties }) => first !== ties), []);
      const moved = comparison.reduce((sum, { first, later }) => sum + first + later, 0);
      // where no integer differs, only the last product is in another order
      if (moved === 0) assert.ok(relativeDifference(logits, ownLogits(source)) < 1e-5);
      const inspected = new Inspection(file.graph).layers;
      assert.deepEqual(inspected.map(({ name }) => name), source.model.layers.map(({ path }) => path));
      for (const { weight, input } of inspected.slice(1, -1)) {
        assert.ok(weight!.levels <= 2 ** bits && weight!.bits <= bits, `${weight!.levels} levels`);
        assert.ok(input!.bits <= bits, `${input!.bits} bits`);
      }
      source.dispose();
    },
  );
}

for (const quantizer of ["lsq", "lsq_asymmetric", "dorefa"]) {
  testOnWasm(`${quantizer}: weights in 4 bits give the same logits in half the bytes`, async (engine) => {
    const source = smallNetwork(engine, DATASET, { model: "resnet8", quantizer, bits: 4 });
    const [whole, packed] = [await compare(engine, source, false), await compare(engine, source, true)];
    assert.ok(relativeDifference(packed.logits, whole.logits) < 1e-5);
    for (const { weight } of new Inspection(packed.file.graph).layers.slice(1, -1)) {
      assert.equal(weight!.bytes, weight!.count / 2);
      assert.ok(weight!.levels > 4 && weight!.levels <= 16, `${weight!.levels} levels`);
    }
    for (const { weight } of new Inspection(whole.file.graph).layers) assert.equal(weight!.bytes, weight!.count);
    source.dispose();
  });
}
