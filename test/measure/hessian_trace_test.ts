import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import type { Engine } from "../../src/engine/types.ts";
import { measuredImages, weightedLoss } from "../../src/measure/batches.ts";
import { curvatureParts, hessianTrace, rademacher } from "../../src/measure/hessian_trace.ts";
import { withChangedWeights } from "../../src/measure/probed.ts";
import { stream } from "../../src/random/stream.ts";
import type { MeasurementOptions } from "../../src/record/measurement.ts";
import type { Leaves } from "../../src/tree.ts";
import { toTensors } from "../../src/train/tensors.ts";
import { testOnEngines } from "../support/engines.ts";
import { GOLDEN, LAYERS, tinySubject } from "./tiny_network.ts";

type Values = {
  trace: number;
  step: number;
  standardError: number;
  relativeTrace: number;
  probes: number[];
  layers: Record<string, number>;
};

function measured(engine: Engine, kind: "full" | "quantized", options: MeasurementOptions): Values {
  const { subject, network } = tinySubject(engine, kind);
  const measuring = hessianTrace.start(subject, hessianTrace.options.parse(options));
  try {
    return measuring.measure(network, network) as unknown as Values;
  } finally {
    measuring.dispose();
    tf.dispose([network.params, network.state] as unknown as Tensor[]);
  }
}

const EXACT_TRACE = LAYERS.reduce((sum, layer) => sum + GOLDEN.full.traces[layer], 0);

testOnEngines("curvatureParts() is exact on a quadratic, whatever the step", (engine) => {
  // L(d) = ½ dᵀ A d + bᵀ d with A symmetric over two leaves of 2: vᵀ A v by leaves, by hand for v = (1, -1, 1, 1):
  // A v = (4 - 1 + 0 + 2, 1 - 3 + 1 + 0, 0 - 1 + 5 - 1, 2 - 0 - 1 + 2) = (5, -1, 3, 3), so the parts are 5 + 1 and 3 + 3
  const a = tf.tensor2d([[4, 1, 0, 2], [1, 3, 1, 0], [0, 1, 5, -1], [2, 0, -1, 2]]), b = tf.tensor1d([7, -3, 2, 1]);
  for (const epsilon of [1e-2, 1, 100]) {
    const program = engine.compile((inputs: { directions: Leaves<Tensor>; epsilon: Tensor; a: Tensor; b: Tensor }) => ({
      parts: curvatureParts((moved) => {
        const d = tf.concat([moved["x"]!, moved["y"]!]);
        const column = tf.reshape(d, [4, 1]);
        return tf.add(
          tf.mul(tf.sum(tf.mul(column, tf.matMul(inputs.a as tf.Tensor2D, column))), 0.5),
          tf.sum(tf.mul(inputs.b, d)),
        );
      }, inputs),
    }));
    const directions = { x: tf.tensor1d([1, -1]), y: tf.tensor1d([1, 1]) };
    const parts = program({ directions, epsilon: tf.scalar(epsilon), a, b }).parts.dataSync();
    program.dispose();
    // float32: the gradient's last bit, 7 · 2^-24, over the step
    parts.forEach((part) => assert.ok(Math.abs(part - 6) < 1e-4, `step ${epsilon}: ${part}`));
  }
});

for (const kind of ["full", "quantized"] as const) {
  testOnEngines(`curvatureParts() of a small network equals PyTorch float64: ${kind}`, (engine) => {
    const golden = GOLDEN[kind], { subject, network } = tinySubject(engine, kind);
    const { batches } = measuredImages(subject.dataset.train, subject.trainingIndices, {
      ...subject.dataset,
      count: 6,
      batchSize: 6,
    });
    const program = engine.compile((inputs: { directions: Leaves<Tensor>; epsilon: Tensor }) => ({
      parts: curvatureParts((moved) =>
        weightedLoss(subject, {
          network,
          batch: batches[0]!,
          quantization: withChangedWeights(subject.quantization, "quantized", (weight, path) =>
            tf.add(weight, moved[path]!)),
        }), inputs),
    }));
    const parts = program({ directions: toTensors(golden.directions), epsilon: tf.scalar(GOLDEN.step) }).parts
      .dataSync();
    program.dispose();
    const loss = weightedLoss(subject, { network, batch: batches[0]!, quantization: subject.quantization })
      .dataSync()[0]!;
    assert.ok(Math.abs(loss - golden.loss) < 1e-5, `loss ${loss} is not ${golden.loss}`);
    LAYERS.forEach((layer, i) => {
      // float32 gradients of size 1, off by some 1e-7 each, over 2 ε = 2e-3, summed over up to 108 weights
      assert.ok(
        Math.abs(parts[i]! - golden.differences[layer]) < 2e-3,
        `${layer}: ${parts[i]} is not ${golden.differences[layer]}`,
      );
      if (kind === "full") {
        assert.ok(
          Math.abs(parts[i]! - GOLDEN.full.parts[layer]) < 2e-3,
          `${layer}: ${parts[i]} is not vᵀ H v = ${GOLDEN.full.parts[layer]}`,
        );
      }
    });
  });
}

testOnEngines(
  "hessian_trace of a small network covers PyTorch's exact trace, and its error shrinks with the probes",
  (engine) => {
    // no relu changes within this step (at 1e-3 one does, and the differences see its kink)
    const few = measured(engine, "full", { probes: 16, relativeStep: 2e-4 });
    const many = measured(engine, "full", { probes: 144, relativeStep: 2e-4 });
    for (const { trace, standardError } of [few, many]) {
      assert.ok(Math.abs(trace - EXACT_TRACE) < 4 * standardError, `${trace} ± ${standardError} is not ${EXACT_TRACE}`);
    }
    // sqrt(144 / 16) = 3, within what 16 probes say of a standard deviation
    const ratio = few.standardError / many.standardError;
    assert.ok(ratio > 1.8 && ratio < 5, `ratio of standard errors ${ratio}`);
    assert.ok(many.standardError < 0.15 * EXACT_TRACE, `${many.standardError}`);
    for (const layer of LAYERS) {
      assert.ok(Math.abs(many.layers[layer]! - GOLDEN.full.traces[layer]) < 1.5, `${layer}: ${many.layers[layer]}`);
    }
  },
);

testOnEngines("hessian_trace gives the same values twice, leaks nothing, and does not change the network", (engine) => {
  const options = { probes: 3, images: 5 };
  const first = measured(engine, "quantized", options), before = tf.memory().numTensors;
  assert.deepEqual(measured(engine, "quantized", options), first);
  assert.equal(tf.memory().numTensors, before);
  assert.notDeepEqual(measured(engine, "quantized", { ...options, seed: 1 }).probes, first.probes);
});

testOnEngines("hessian_trace of latent weights sees only what crosses a rounding edge", (engine) => {
  // no latent weight lies within this step of an edge, so the network is the same on both sides
  const still = measured(engine, "quantized", { probes: 4, relativeStep: 1e-6, moved: "latent" });
  assert.deepEqual(still.probes, [0, 0, 0, 0]);
  assert.notEqual(measured(engine, "quantized", { probes: 4, relativeStep: 1e-3 }).trace, 0);
  // in full precision there is no quantizer between the two
  const options = { probes: 4, relativeStep: 1e-3 };
  assert.deepEqual(measured(engine, "full", { ...options, moved: "latent" }), measured(engine, "full", options));
});

testOnEngines("hessian_trace per layer and relative to the weights are sums of the same parts", (engine) => {
  const { trace, relativeTrace, layers } = measured(engine, "full", { probes: 8 });
  assert.ok(
    Math.abs(Object.values(layers).reduce((sum, value) => sum + value) - trace) < 1e-9 + 1e-6 * Math.abs(trace),
  );
  const relative = LAYERS.reduce((sum, layer) => {
    const { values } = GOLDEN.full.weights[layer];
    return sum + layers[layer]! * [...values].reduce((squares, value) => squares + value * value, 0) / values.length;
  }, 0);
  assert.ok(Math.abs(relative - relativeTrace) < 1e-5 * Math.abs(relative), `${relativeTrace} is not ${relative}`);
});

testOnEngines("hessian_trace takes its step from the weights that it moves", (engine) => {
  // latent: rms of the golden weights; quantized: of step size times clipped and rounded weight, by its definition
  const { weights, stepSizes } = GOLDEN.quantized;
  const squares = { latent: 0, quantized: 0 };
  for (const layer of LAYERS) {
    const steps = stepSizes[layer].weight.values;
    weights[layer].values.forEach((value, i) => {
      const step = steps[i % steps.length]!;
      squares.latent += value ** 2;
      squares.quantized += (step * Math.floor(Math.min(Math.max(value / step, -2), 1) + 0.5)) ** 2;
    });
  }
  for (const moved of ["latent", "quantized"] as const) {
    const { step } = measured(engine, "quantized", { probes: 2, relativeStep: 0.1, moved });
    const expected = 0.1 * Math.sqrt(squares[moved] / 174);
    assert.ok(Math.abs(step / expected - 1) < 1e-6, `${step} is not ${expected}`);
  }
});

Deno.test("rademacher() takes a bit of the stream for each sign, the lowest first", () => {
  const words = stream({ seed: 4, purpose: "probe" }), [first, second] = [words.word(), words.word()];
  const signs = rademacher(40, stream({ seed: 4, purpose: "probe" }));
  signs.forEach((sign, i) => assert.equal(sign, ((i < 32 ? first : second) >>> (i % 32)) & 1 ? 1 : -1));
  const many = rademacher(100_000, stream({ seed: 4, purpose: "probe" }));
  const mean = many.reduce((sum, sign) => sum + sign, 0) / many.length;
  assert.ok(Math.abs(mean) < 4 / Math.sqrt(many.length), `${mean}`);
});
