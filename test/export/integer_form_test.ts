/** The integer form of a network computes what its integers say. */
import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import { openEngine } from "../../src/engine/mod.ts";
import { channelsFirst } from "../../src/export/image_layout.ts";
import { Inspection, numbersOf } from "../../src/export/inspection.ts";
import { integerFile } from "../../src/export/integer_form.ts";
import { exportedNetwork } from "../../src/export/network.ts";
import { parseOnnx, withOutputs } from "../../src/export/onnx_file.ts";
import { INPUT, inputIntegers, OUTPUT, quantizeDequantizeFile } from "../../src/export/quantize_dequantize.ts";
import { OnnxSession } from "../../src/export/runtime/onnx_session.ts";
import { randomImages, smallNetwork } from "../support/small_network.ts";

const DATASET = randomImages(2);
const FEED = {
  [INPUT]: { type: "uint8", data: channelsFirst(DATASET.test.images, DATASET.imageShape), dims: [2, 3, 8, 8] },
};

async function forms(options: Parameters<typeof smallNetwork>[2], weightSteps = 1) {
  const engine = await openEngine("wasm");
  await tf.setBackend("wasm");
  const source = smallNetwork(engine, DATASET, options), params = source.network.params as Record<string, tf.Tensor>;
  for (const [path, tensor] of Object.entries(params)) {
    if (path.endsWith("weight_quantizer/step_size")) params[path] = tf.mul(tensor, weightSteps);
  }
  const network = exportedNetwork(source);
  const names = source.model.layers.map(({ path }) => inputIntegers(path));
  const computed = async (bytes: Uint8Array<ArrayBuffer>) => {
    const file = parseOnnx(bytes, "network.onnx");
    await using session = await OnnxSession.open(withOutputs(file, names));
    return { file, values: (await session.run(FEED, [OUTPUT, ...names])).values };
  };
  const [exact, integer] = [quantizeDequantizeFile(network, { metadata: {} }), integerFile(network, { metadata: {} })];
  source.dispose();
  return { names, exact: await computed(exact), integer: await computed(integer) };
}

// their integers, offsets at the edges included, come out of ConvInteger alone: nothing is rounded that QDQ does not round
for (const model of ["resnet8", "mobilenetv2_narrow"]) {
  Deno.test(`${model} with LSQ+ has the same integers in both forms`, async () => {
    const { names, exact, integer } = await forms({ model, quantizer: "lsq_plus", bits: 4 });
    for (const name of names) {
      const signed = exact.values[name]!.type === "int8", expected = exact.values[name]!.data as Uint8Array;
      const found = integer.values[name]!.data as Uint8Array;
      const different = found.filter((value, i) => value !== expected[i]! + (signed ? 128 : 0)).length;
      assert.ok(different <= found.length / 1000, `${different} of ${found.length} of ${name}`); // ties
    }
  });
}

for (const quantizer of ["lsq", "lsq_asymmetric", "pact"]) {
  Deno.test(`${quantizer}: QLinearConv gives round((sum of q W + B) · s s' / s'') of whole numbers`, async () => {
    const { integer: { file, values } } = await forms({ model: "resnet8", quantizer, bits: 2 });
    const conv = file.graph.node.find(({ name }) => name === "stage1/block0/conv1")!;
    assert.equal(conv.opType, "QLinearConv");
    const constants = new Map(file.graph.initializer.map((tensor) => [tensor.name, tensor]));
    const numbers = (i: number) => numbersOf(constants.get(conv.input[i]!)!);
    const [inputStep, inputZero, zero, outputStep, outputZero] = [1, 2, 5, 6, 7].map((i) => numbers(i)[0]!);
    const scales = numbers(4);
    const weight = numbers(3), bias = numbers(8), channels = 16, side = 8;
    const q = values[inputIntegers("stage1/block0/conv1")]!.data as Uint8Array;
    const found = values[inputIntegers("stage1/block0/conv2")]!.data as Uint8Array;
    let ties = 0;
    for (let o = 0; o < channels; o++) {
      for (let y = 0; y < side; y++) {
        for (let x = 0; x < side; x++) {
          let sum = bias[o]!;
          for (let i = 0; i < channels; i++) {
            for (let k = 0; k < 9; k++) {
              const [row, column] = [y + Math.floor(k / 3) - 1, x + k % 3 - 1];
              if (row < 0 || column < 0 || row >= side || column >= side) continue;
              sum += (q[(i * side + row) * side + column]! - inputZero!) *
                (weight[(o * channels + i) * 9 + k]! - zero!);
            }
          }
          const value = sum * inputStep! * scales[o]! / outputStep! + outputZero!;
          const expected = Math.min(Math.max(Math.round(value), 0), 3), got = found[(o * side + y) * side + x]!;
          if (got === expected) continue;
          assert.ok(Math.abs(value - Math.floor(value) - 0.5) < 1e-4, `${got} is not ${expected} at ${value}`);
          ties++;
        }
      }
    }
    assert.ok(ties <= 10, `${ties} ties`);
    const layers = new Inspection(file.graph).layers;
    for (const { input, weight } of layers.slice(1, -1)) {
      assert.deepEqual([input!.bits <= 2, weight!.granularity], [true, "channel"]);
      assert.ok(weight!.bits <= 2 && weight!.levels <= 4, `${weight!.levels} levels of ${weight!.bits} bits`);
    }
  });
}

Deno.test("large integers of 8 bits are stored unsigned, as QLinearConv adds signed ones in 16 bits without VNNI", async () => {
  for (const bits of [7, 8]) {
    // at a tenth of their step most weights lie at the bounds, such as -128 and 127
    const { exact, integer } = await forms({ model: "resnet8", quantizer: "lsq", bits }, 0.1);
    const conv = integer.file.graph.node.find(({ name }) => name === "stage1/block0/conv1")!;
    assert.equal(conv.opType, "QLinearConv");
    const zero = integer.file.graph.initializer.find(({ name }) => name === conv.input[5])!;
    // 2 · 64 · 127 fits in 16 bits, 2 · 128 · 255 does not
    assert.ok(numbersOf(zero).every((value) => value === (bits === 7 ? 0 : 128)));
    const name = inputIntegers("stage1/block0/conv2"), expected = exact.values[name]!.data as Uint8Array;
    const distances = (integer.values[name]!.data as Uint8Array).map((value, i) => Math.abs(value - expected[i]!));
    // a rounded bias moves integers by one; a sum that is cut would move them by far
    assert.ok(distances.every((distance) => distance <= 1), `${Math.max(...distances)}`);
  }
});
