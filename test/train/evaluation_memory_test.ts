/** Evaluation on engine wasm: batches go through the network in parts. */
import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm";
import type { Split } from "../../src/data/types.ts";
import { oneHot } from "../../src/engine/ops.ts";
import { openWasmEngine } from "../../src/engine/wasm/engine.ts";
import type { Heap } from "../../src/engine/wasm/heap.ts";
import { initialise, type NetworkData } from "../../src/nn/initialise.ts";
import { modelNamed } from "../../src/nn/mod.ts";
import { inputStatistics, withQuantizers } from "../../src/train/calibration.ts";
import { Evaluator } from "../../src/train/evaluation.ts";
import { forward, normaliseImages } from "../../src/train/forward.ts";
import { quantizationOf } from "../../src/train/quantization.ts";
import { toTensors } from "../../src/train/tensors.ts";

const engine = await openWasmEngine();
const SHAPE = [8, 8, 3] as const, SIZE = 8 * 8 * 3, COUNT = 250, SCALE = { mean: [0.5], std: [0.25] };
const IMAGES: Split = {
  count: COUNT,
  images: Uint8Array.from({ length: COUNT * SIZE }, (_, i) => (i * i * 31 + 7 * i + (i >> 7)) % 256),
  labels: Uint8Array.from({ length: COUNT }, (_, i) => (i * 7) % 10),
};
const INDICES = Uint32Array.from({ length: COUNT }, (_, i) => i);

function bytes(count: number): tf.Tensor {
  return tf.tensor(Int32Array.from(IMAGES.images.subarray(0, count * SIZE)), [count, ...SHAPE], "int32");
}

/** A network with initial values, calibrated for LSQ W4A4 where it is quantized. */
function networkOf(name: string, quantized: boolean) {
  const model = modelNamed(name).build({ classes: 10, imageChannels: 3 }), bits = { weightBits: 4, activationBits: 4 };
  const quantization = quantized
    ? quantizationOf(model, { quantizer: "lsq", ...bits, firstLastBits: 8, calibrationExamples: 4 })
    : null;
  const tensorsOf = ({ params, state }: NetworkData) => ({ params: toTensors(params), state: toTensors(state) });
  const start = initialise(model, 1);
  if (!quantization) return { model, quantization, network: tensorsOf(start) };
  const network = tensorsOf(start), images = bytes(4);
  const inputs = inputStatistics(engine, model, { network, images, scale: SCALE, quantization });
  tf.dispose([images, network] as unknown as tf.Tensor[]);
  return { model, quantization, network: tensorsOf(withQuantizers(start, model, { quantization, inputs })) };
}

for (const quantized of [false, true]) {
  Deno.test(`evaluate() gives the bits of a batch in one pass: ResNet-8 ${quantized ? "LSQ" : "FP"} [wasm]`, () => {
    const { model, quantization, network } = networkOf("resnet8", quantized);
    const [loss, correct] = tf.tidy(() => {
      const images = normaliseImages(bytes(COUNT), SCALE),
        labels = tf.tensor1d(Int32Array.from(IMAGES.labels), "int32");
      const { logits } = forward(model, quantization, { network, images, training: false, quantized });
      const losses = tf.neg(tf.sum(tf.mul(oneHot(labels, 10), tf.logSoftmax(logits)), -1));
      const hits = tf.cast(tf.equal(tf.argMax(logits, 1), labels), "float32");
      return [tf.sum(losses).dataSync()[0]!, tf.sum(hits).dataSync()[0]!];
    });
    const evaluator = new Evaluator(engine, model, { quantization, scale: SCALE });
    const evaluation = evaluator.evaluate(network, IMAGES, { indices: INDICES, imageShape: SHAPE });
    assert.deepEqual(evaluation, { top1Percent: 100 * correct / COUNT, loss: loss / COUNT });
    evaluator.dispose();
    tf.dispose(network as unknown as tf.Tensor[]);
  });
}

/** The most bytes that tensors made by `body` take at a time. */
function peakBytes(body: () => void): number {
  const wasm = (tf.backend() as BackendWasm).wasm as unknown as Heap, { _malloc, _free } = wasm;
  const sizes = new Map<number, number>();
  let now = 0, peak = 0;
  wasm._malloc = (size) => {
    const address = _malloc(size);
    sizes.set(address >>> 0, size);
    peak = Math.max(peak, now += size);
    return address;
  };
  wasm._free = (address) => {
    now -= sizes.get(address >>> 0) ?? 0;
    sizes.delete(address >>> 0);
    _free(address);
  };
  try {
    body();
  } finally {
    Object.assign(wasm, { _malloc, _free });
  }
  return peak;
}

Deno.test("evaluate() of the narrow MobileNetV2 at LSQ W4A4 fits into 4 GiB, its check of levels too [wasm]", () => {
  const { model, quantization, network } = networkOf("mobilenetv2_narrow", true);
  const evaluator = new Evaluator(engine, model, { quantization, scale: SCALE });
  const peak = peakBytes(() => evaluator.evaluate(network, IMAGES, { indices: INDICES, imageShape: SHAPE }));
  // 32 x 32 images take 16 times as much; in one pass it is 16.6 MiB an image, which 250 times are over 4 GiB
  const perImage = 16 * peak / COUNT / 2 ** 20;
  assert.ok(perImage < 3, `${perImage} MiB for each image of a batch`);
  evaluator.dispose();
  tf.dispose(network as unknown as tf.Tensor[]);
});
