import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { oneHot } from "../../src/engine/ops.ts";
import { crossEntropy } from "../../src/methods/losses.ts";
import { resnet8 } from "../../src/nn/resnet.ts";
import { forward } from "../../src/train/forward.ts";
import { valueAndGradients } from "../../src/train/gradients.ts";
import { quantizationOf } from "../../src/train/quantization.ts";
import type { Leaves } from "../../src/tree.ts";
import { testOnEngines } from "../support/engines.ts";
import { goldenJson, relativeDistance } from "../support/golden.ts";

type Listed = { shape: number[]; values: number[] };
/** Every n-th value of a tensor, and the norm of all. */
type Excerpt = Listed & { every: number; norm: number };
interface GoldenNetwork {
  readonly quantizer: string;
  readonly bits: number;
  readonly labels: number[];
  readonly loss: number;
  /** Weights are integers over this. */
  readonly grid: number;
  readonly weights: { path: string; shape: number[] }[];
  readonly tensors: Record<string, Listed>;
  /** Paths of what is not learned: zero points. */
  readonly fixed: string[];
  readonly images: Listed;
  readonly gradients: Record<string, Excerpt>;
  readonly outputs: Record<string, Excerpt>;
}

const MODEL = resnet8.build({ classes: 10, imageChannels: 3 });

function tensor({ shape, values }: Listed): Tensor {
  return tf.tensor(values, shape, "float32");
}

/** What is learned and what is not, by path; the weights come from the file beside, as 16-bit integers. */
function networkOf(golden: GoldenNetwork): { params: Record<string, Tensor>; state: Record<string, Tensor> } {
  const bytes = Deno.readFileSync(new URL(`../golden/resnet8_${golden.quantizer}.bin`, import.meta.url));
  const integers = new Int16Array(bytes.buffer);
  const params: Record<string, Tensor> = {}, state: Record<string, Tensor> = {};
  let offset = 0;
  for (const { path, shape } of golden.weights) {
    const size = shape.reduce((product, dim) => product * dim, 1);
    const values = Array.from(integers.subarray(offset, offset + size), (value) => value / golden.grid);
    params[path] = tensor({ shape, values });
    offset += size;
  }
  assert.equal(offset, integers.length);
  for (const [path, listed] of Object.entries(golden.tensors)) {
    (golden.fixed.includes(path) ? state : params)[path] = tensor(listed);
  }
  for (const norm of MODEL.norms) {
    state[`${norm.path}/mean`] = tf.zeros([norm.channels]);
    state[`${norm.path}/variance`] = tf.ones([norm.channels]);
  }
  return { params, state };
}

function assertExcerpt(name: string, actual: Tensor, expected: Excerpt, tolerance: number): void {
  assert.deepEqual(actual.shape, expected.shape, name);
  const values = actual.dataSync() as Float32Array;
  const kept = values.filter((_, i) => i % expected.every === 0);
  const distance = relativeDistance(kept, expected.values);
  assert.ok(distance < tolerance, `${name} is off by ${distance}`);
  const norm = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
  assert.ok(Math.abs(norm / expected.norm - 1) < tolerance, `the norm of ${name} is ${norm}, not ${expected.norm}`);
}

// Golden values are such that float32 takes the same roundings; see make_golden_networks.py
for (const quantizer of ["lsq_asymmetric", "pact"]) {
  const golden = goldenJson<GoldenNetwork>(`resnet8_${quantizer}.json`);
  testOnEngines(
    `training step of ResNet-8 on ${quantizer} equals PyTorch float64, in every output and gradient, compiled and eager`,
    (engine) => {
      const quantization = quantizationOf(MODEL, {
        quantizer: golden.quantizer,
        weightBits: golden.bits,
        activationBits: golden.bits,
        firstLastBits: 8,
        calibrationExamples: 1,
      });
      type Inputs = { params: Leaves<Tensor>; state: Leaves<Tensor>; images: Tensor; labels: Tensor };
      const program = ({ params, state, images, labels }: Inputs) => {
        const { loss, gradients, aux } = valueAndGradients(params, (params) => {
          const outputs: Record<string, Tensor> = {};
          const { logits } = forward(MODEL, quantization, {
            network: { params, state },
            images,
            training: true,
            quantized: true,
            hooks: { output: (layer, y) => void (outputs[layer.path] = y) },
          });
          outputs["classifier"] = logits;
          return { loss: crossEntropy(logits, labels), aux: outputs };
        });
        return { loss, gradients, outputs: aux };
      };
      const inputs: Inputs = {
        ...networkOf(golden),
        images: tensor(golden.images),
        labels: oneHot(tf.tensor1d(golden.labels, "int32"), 10),
      };
      assert.deepEqual(Object.keys(golden.gradients).sort(), Object.keys(inputs.params).sort());
      const compiled = engine.compile(program), passes = engine.compile(program, { large: 1 });
      for (const run of [compiled, passes, program]) {
        const { loss, gradients, outputs } = run(inputs);
        assert.ok(Math.abs(loss.dataSync()[0]! / golden.loss - 1) < 1e-5, `loss ${loss.dataSync()[0]}`);
        for (const [path, expected] of Object.entries(golden.outputs)) {
          assertExcerpt(`the output of ${path}`, outputs[path]!, expected, 1e-5);
        }
        for (const [path, expected] of Object.entries(golden.gradients)) {
          // one sum over a whole activation, of which up to 99 % may cancel
          const tolerance = path.includes("/input_quantizer/") ? 3e-4 : 1e-4;
          assertExcerpt(`the gradient of ${path}`, gradients[path]!, expected, tolerance);
        }
      }
      passes.dispose();
      compiled.dispose();
    },
  );
}
