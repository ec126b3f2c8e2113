/** Every model against PyTorch float64: test/golden/make_golden_models.py says how the values came about. */
import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { oneHot } from "../../src/engine/ops.ts";
import { openEngine } from "../../src/engine/mod.ts";
import type { Engine, EngineName } from "../../src/engine/types.ts";
import { crossEntropy } from "../../src/methods/losses.ts";
import { paths } from "../../src/nn/layers.ts";
import { modelNamed, MODELS } from "../../src/nn/mod.ts";
import type { Model, ModelQuantization } from "../../src/nn/types.ts";
import { forward } from "../../src/train/forward.ts";
import { valueAndGradients } from "../../src/train/gradients.ts";
import { quantizationOf } from "../../src/train/quantization.ts";
import { toTensors } from "../../src/train/tensors.ts";
import type { Leaves } from "../../src/tree.ts";
import { ENGINES } from "../support/engines.ts";
import { type Chosen, formulaImages, formulaNetwork, summary } from "../support/formula.ts";
import { goldenJson, relativeDistance } from "../support/golden.ts";

/** What PyTorch float64 has of one network; summaries are those of `summary`. */
interface Case extends Chosen {
  readonly side: number;
  readonly inferenceSteps: Record<string, number>;
  readonly loss: number;
  readonly logits: number[];
  readonly inferenceLogits: number[];
  /** What each layer gives before batch norm, by layer path: the first two numbers of its summary. */
  readonly outputs: Record<string, number[]>;
  readonly gradients: Record<string, number[]>;
  /** Sum of the magnitudes of the terms of an input step size's gradient, by layer path. */
  readonly stepScales: Record<string, number>;
}

interface Golden {
  readonly batch: number;
  readonly labels: number[];
  readonly fp: Case;
  readonly lsq: Case;
}

const CASES = {
  // float32 errors grow through up to 54 batch norms, most where channels are nearly dead
  fp: { title: "full precision", outputs: 1e-4, gradients: 1e-4 },
  // each quantizer rounds the errors of the layers before it away; golden values keep clear of its rounding edges
  lsq: { title: "LSQ W4A4", outputs: 1e-6, gradients: 5e-5 },
} as const;

/**
 * Relative to what a gradient's error is measured: its norm; for beta also that of gamma's gradient, as before another batch norm
 * it is 0 but for rounding; for an input's step size the sum of its terms' magnitudes, as it is a small difference of them.
 */
function gradientScale(path: string, golden: Case): number {
  const norm = golden.gradients[path]![0]!;
  if (path.endsWith("/beta")) return Math.max(norm, golden.gradients[path.replace(/beta$/, "gamma")]![0]!);
  if (!path.endsWith("/input_quantizer/step_size")) return norm;
  return golden.stepScales[path.slice(0, -"/input_quantizer/step_size".length)]!;
}

/** An 8-bit weight's step size has a gradient of differences q - u, 1/2 at most, of sums of q up to 127: 1e-6 of these. */
function gradientTolerance(path: string, kind: keyof typeof CASES): number {
  return /^(stem\/conv|classifier)\/weight_quantizer/.test(path) ? 2e-4 : CASES[kind].gradients;
}

type Network = { readonly params: Leaves<Tensor>; readonly state: Leaves<Tensor> };

function trainingPass(engine: Engine, model: Model, quantization: ModelQuantization | null) {
  return engine.compile((inputs: { network: Network; images: Tensor; labels: Tensor }) => {
    const { loss, gradients, aux } = valueAndGradients(inputs.network.params, (params) => {
      const outputs: Record<string, Tensor> = {};
      const { logits, updates } = forward(model, quantization, {
        network: { ...inputs.network, params },
        images: inputs.images,
        training: true,
        quantized: true,
        hooks: { output: (layer, y) => void (outputs[layer.path] = y) },
      });
      outputs["classifier"] = logits;
      return { loss: crossEntropy(logits, inputs.labels), aux: { outputs, updates: { ...updates } } };
    });
    return { loss, gradients, ...aux };
  });
}

function inferencePass(engine: Engine, model: Model, quantization: ModelQuantization | null) {
  return engine.compile(({ network, images }: { network: Network; images: Tensor }) => ({
    logits: forward(model, quantization, { network, images, training: false, quantized: true }).logits,
  }));
}

function goldenOf(name: string): Golden {
  try {
    return goldenJson<Golden>(`model_${name}.json`);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    const file = `test/golden/model_${name}.json`;
    throw new Error(`model ${name} has no ${file}: add it to test/golden/make_golden_models.py`, { cause: error });
  }
}

function checkModel(engine: Engine, name: string, kind: keyof typeof CASES): void {
  const golden = goldenOf(name),
    expected = golden[kind],
    { outputs: tolerance } = CASES[kind];
  const model = modelNamed(name).build({ classes: 10, imageChannels: 3 });
  const quantization = quantizationOf(
    model,
    kind === "fp"
      ? null
      : { quantizer: "lsq", weightBits: 4, activationBits: 4, firstLastBits: 8, calibrationExamples: 1 },
  );
  const start = formulaNetwork(model, expected, (layer) => quantization ? quantization[layer.path]!.weight.bits : null);
  const params = toTensors(start.params), state = toTensors(start.state);
  const { shape, values } = formulaImages([golden.batch, expected.side, expected.side, 3]);
  const images = tf.tensor(values, [...shape]), labels = oneHot(tf.tensor1d(golden.labels, "int32"), 10);

  const training = trainingPass(engine, model, quantization);
  const { loss, gradients, outputs, updates } = training({ network: { params, state }, images, labels });
  for (const [path, [norm, probe]] of Object.entries(expected.outputs)) {
    const [actualNorm, actualProbe] = summary(path, outputs[path]!.dataSync());
    const error = Math.max(Math.abs(actualNorm! - norm!), Math.abs(actualProbe! - probe!)) / norm!;
    assert.ok(error < tolerance, `output of ${path} is off by ${error}`);
  }
  const logitError = relativeDistance(outputs["classifier"]!.dataSync(), expected.logits);
  assert.ok(logitError < tolerance, `logits are off by ${logitError}`);
  const actualLoss = loss.dataSync()[0]!;
  assert.ok(Math.abs(actualLoss / expected.loss - 1) < tolerance, `loss ${actualLoss} is not ${expected.loss}`);
  assert.deepEqual(Object.keys(gradients).sort(), Object.keys(expected.gradients).sort());
  for (const [path, numbers] of Object.entries(expected.gradients)) {
    const actual = summary(path, gradients[path]!.dataSync()), scale = gradientScale(path, expected);
    const error = Math.max(...actual.map((value, i) => Math.abs(value - numbers[i]!))) / scale;
    assert.ok(error < gradientTolerance(path, kind), `gradient of ${path} is off by ${error}`);
  }

  // at inference with the running statistics that the training pass left
  const inference = inferencePass(engine, model, quantization), steps: Record<string, Tensor> = {};
  for (const [path, step] of Object.entries(expected.inferenceSteps)) {
    steps[`${paths.inputQuantizer({ path })}step_size`] = tf.scalar(step);
  }
  const { logits } = inference({
    network: { params: { ...params, ...steps }, state: { ...state, ...updates } },
    images,
  });
  const inferenceError = relativeDistance(logits.dataSync(), expected.inferenceLogits);
  assert.ok(inferenceError < tolerance, `logits at inference are off by ${inferenceError}`);
  for (const program of [training, inference]) program.dispose();
}

/** Small enough for one thread of wasm. */
const ON_WASM = ["resnet8", "resnet20", "mobilenetv2_narrow", "resnet18_imagenet"];

for (const { name } of MODELS) {
  for (const kind of ["fp", "lsq"] as const) {
    for (const engineName of ["tensorflow", "onednn", "wasm"] satisfies EngineName[]) {
      if (engineName === "wasm" && !ON_WASM.includes(name)) continue;
      const absent = !ENGINES.includes(engineName);
      Deno.test({
        name: `${name} equals PyTorch float64 in layers, loss, gradients and inference, ${CASES[kind].title} ` +
          `[${engineName}${absent ? ": skipped, its library was not found" : ""}]`,
        ignore: absent,
        async fn() {
          const engine = await openEngine(engineName);
          await tf.setBackend(engineName);
          tf.engine().startScope();
          checkModel(engine, name, kind);
          tf.engine().endScope();
        },
      });
    }
  }
}
