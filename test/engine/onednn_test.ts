import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import fc from "../support/npm/fast_check.ts";
import { openEngine } from "../../src/engine/mod.ts";
import { Arena } from "../../src/engine/onednn/arena.ts";
import { fuse } from "../../src/engine/onednn/fuse.ts";
import { type Graph, makeUse, type Node, type Use } from "../../src/engine/onednn/graph.ts";
import { batchNormTraining, convolution, relu, roundClip } from "../../src/engine/ops.ts";
import type { Engine } from "../../src/engine/types.ts";
import { initialise } from "../../src/nn/initialise.ts";
import { MODELS } from "../../src/nn/mod.ts";
import type { Layer } from "../../src/nn/types.ts";
import { forward } from "../../src/train/forward.ts";
import { toTensors } from "../../src/train/tensors.ts";
import { ENGINES, testOnEngines } from "../support/engines.ts";

type Named = Record<string, Tensor>;

function test(name: string, body: (engine: Engine) => void | Promise<void>): void {
  Deno.test({ name, ignore: !ENGINES.includes("onednn"), fn: async () => await body(await openEngine("onednn")) });
}

/** Whole numbers from low to high, both included, without a pattern of short period. */
function levels(size: number, { low, high, seed }: { low: number; high: number; seed: number }): Float32Array {
  let state = seed;
  return Float32Array.from({ length: size }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return low + Math.floor(state / 2 ** 32 * (high - low + 1));
  });
}

/** Layers that multiply: kernel size, channels, stride, and the size of their input. */
interface Shape {
  readonly kernel: number;
  readonly channels: readonly [number, number];
  readonly stride: number;
  readonly image: readonly [number, number];
}

/** Those of all models, each once, without depthwise and dense ones. */
function layerShapes(engine: Engine): Shape[] {
  const found = new Map<string, Shape>();
  for (const definition of MODELS) {
    const model = definition.build({ classes: 10, imageChannels: 3 }), data = initialise(model, 0);
    const network = { params: toTensors(data.params), state: toTensors(data.state) };
    const observe = (layer: Layer, x: Tensor) => {
      if (layer.kind !== "convolution") return;
      const [, h, w, channels] = x.shape as [number, number, number, number];
      const outputs = data.params[`${layer.path}/weight`]!.shape.at(-1)!;
      const shape: Shape = {
        kernel: layer.kernelSize,
        channels: [channels, outputs],
        stride: layer.stride,
        image: [h, w],
      };
      found.set(JSON.stringify(shape), shape);
    };
    const program = engine.compile((inputs: { network: typeof network; images: Tensor }) => ({
      logits: forward(model, null, {
        network: inputs.network,
        images: inputs.images,
        training: false,
        quantized: false,
        hooks: { observe },
      }).logits,
    }));
    const images = tf.zeros([1, 32, 32, 3]);
    tf.dispose([images, program({ network, images }).logits, network.params, network.state] as unknown as Tensor[]);
    program.dispose();
  }
  return [...found.values()];
}

/** Some rows, or columns: both edges, where zeros are padded, and the middle. */
function places(size: number): number[] {
  return [...new Set([0, 1, size >> 1, size - 2, size - 1])].filter((at) => at >= 0 && at < size);
}

/** The convolution in float64, padded as PyTorch does it, at all places and for all channels: by their index in y. */
function convolved(x: Float32Array, filter: Float32Array, shape: Shape): Map<number, number> {
  const { kernel, channels: [i, o], stride, image: [h, w] } = shape, pad = (kernel - 1) / 2;
  const rows = Math.ceil(h / stride), columns = Math.ceil(w / stride), found = new Map<number, number>();
  for (const row of places(rows)) {
    for (const column of places(columns)) {
      const sums = new Float64Array(o);
      for (let tap = 0; tap < kernel * kernel; tap++) {
        const r = row * stride + Math.floor(tap / kernel) - pad, c = column * stride + tap % kernel - pad;
        if (r < 0 || c < 0 || r >= h || c >= w) continue;
        for (let k = 0; k < i; k++) {
          const value = x[(r * w + c) * i + k]!, from = (tap * i + k) * o;
          for (let n = 0; n < o; n++) sums[n]! += value * filter[from + n]!;
        }
      }
      sums.forEach((sum, n) => found.set((row * columns + column) * o + n, sum));
    }
  }
  return found;
}

test("convolutions of 4-bit integers equal float64 in every bit, at all layer shapes of all models", (engine) => {
  const shapes = layerShapes(engine),
    program = engine.compile(({ x, filter, scale }: Named) => {
      const q = roundClip(x!, { low: 0, high: 15 }), levels = roundClip(filter!, { low: -8, high: 7 });
      return { y: convolution(q, tf.mul(levels, scale!), { stride: STRIDE.value }) };
    }, { large: 1, signatures: 1 });
  assert.ok(shapes.length > 30, `${shapes.length} shapes`);
  for (const shape of shapes) {
    const { kernel, channels: [i, o], image: [h, w] } = shape;
    STRIDE.value = shape.stride;
    const x = levels(h * w * i, { low: 0, high: 15, seed: h }),
      filter = levels(kernel * kernel * i * o, { low: -8, high: 7, seed: o });
    const scales = Float32Array.from({ length: o }, (_, c) => 2 ** (c % 5 - 8)); // exact in float32
    const inputs = {
      x: tf.tensor(x, [1, h, w, i]),
      filter: tf.tensor(filter, [kernel, kernel, i, o]),
      scale: tf.tensor1d(scales),
    };
    const { y } = program(inputs), actual = y!.dataSync();
    for (const [at, sum] of convolved(x, filter, shape)) {
      assert.equal(actual[at], sum * scales[at % o]!, `${JSON.stringify(shape)}, element ${at}`);
    }
    tf.dispose([y!, ...Object.values(inputs)]);
    program.dispose(); // a stride is no part of a signature
  }
});

/** The stride of the program above. */
const STRIDE = { value: 1 };

/** conv(roundClip(x), roundClip(w) s) with these bounds. */
function quantizedConvolution(input: readonly [number, number], weight: readonly [number, number]): Graph {
  const x = makeUse([1, 8, 8, 16], "float32", { input: 0 }), w = makeUse([3, 3, 16, 16], "float32", { input: 1 });
  const s = makeUse([16], "float32", { input: 2 });
  const clip = (from: Use, [low, high]: readonly [number, number]): Node => ({
    kernel: "RoundClip",
    inputs: { x: from },
    attrs: { low, high },
    outputs: [makeUse(from.shape, "float32")],
  });
  const q = clip(x, input),
    levels = clip(w, weight),
    scaled = makeUse(w.shape, "float32"),
    y = makeUse(x.shape, "float32");
  const nodes: Node[] = [
    q,
    levels,
    { kernel: "Multiply", inputs: { a: levels.outputs[0]!, b: s }, attrs: {}, outputs: [scaled] },
    {
      kernel: "Conv2D",
      inputs: { x: q.outputs[0]!, filter: scaled },
      attrs: { strides: 1, pad: "same", dataFormat: "NHWC", dilations: 1 },
      outputs: [y],
    },
  ];
  return { nodes, inputs: [x, w, s], outputs: [y] };
}

Deno.test("fuse() joins a mask to an input's gradient only where the channels fill the vectors of AVX2", () => {
  const kernels = (channels: number) => {
    const dx = makeUse([1, 8, 8, channels], "float32"), mask = makeUse(dx.shape, "float32", { input: 2 });
    const dy = makeUse([1, 8, 8, 16], "float32", { input: 0 }), masked = makeUse(dx.shape, "float32");
    const filter = makeUse([3, 3, channels, 16], "float32", { input: 1 });
    const attrs = { strides: 1, pad: "same", dataFormat: "NHWC", dilations: 1 };
    const graph: Graph = {
      nodes: [
        { kernel: "Conv2DBackpropInput", inputs: { dy, filter }, attrs, outputs: [dx] },
        { kernel: "Multiply", inputs: { a: dx, b: mask }, attrs: {}, outputs: [masked] },
      ],
      inputs: [dy, filter, mask],
      outputs: [masked],
    };
    return fuse(graph, { bytesAreExact: true, large: 1, bfloat16: false }).nodes.map(({ kernel }) => kernel);
  };
  const [joined, apart] = [kernels(16), kernels(3)];
  assert.equal(apart.length, joined.length + 1, `${joined} and ${apart}`);
});

test("gradients at the input of 1 to 9 channels equal float64's", (engine) => {
  for (const channels of [1, 3, 7, 8, 9]) {
    const dy = levels(64 * 4, { low: -8, high: 7, seed: channels }),
      filter = levels(9 * channels * 4, { low: -8, high: 7, seed: 9 });
    const program = engine.compile(({ x, filter, dy }: Named) => ({
      dx: tf.grad((image) => tf.sum(tf.mul(convolution(image, filter!, { stride: 1 }), dy!)))(x!),
    }));
    const inputs = {
      x: tf.zeros([1, 8, 8, channels]),
      filter: tf.tensor(filter, [3, 3, channels, 4]),
      dy: tf.tensor(dy, [1, 8, 8, 4]),
    };
    const { dx } = program(inputs), actual = dx!.dataSync();
    // the convolution of dy by the turned filter
    const turned = Float32Array.from({ length: filter.length }, (_, at) => {
      const tap = Math.floor(at / (4 * channels)), o = Math.floor(at / channels) % 4, i = at % channels;
      return filter[((8 - tap) * channels + i) * 4 + o]!;
    });
    const shape: Shape = { kernel: 3, channels: [4, channels], stride: 1, image: [8, 8] };
    for (const [at, sum] of convolved(dy, turned, shape)) assert.equal(actual[at], sum, `${channels} channels, ${at}`);
    tf.dispose([dx!, ...Object.values(inputs)]);
    program.dispose();
  }
});

Deno.test("fuse() multiplies integers where the processor's sums are exact, else float32", () => {
  const multipliesIntegers = (input: [number, number], weight: [number, number], bytesAreExact: boolean) =>
    fuse(quantizedConvolution(input, weight), { bytesAreExact, large: 1 })
      .nodes.some(({ kernel }) => kernel === "IntegerConvolution");
  assert.equal(multipliesIntegers([0, 15], [-8, 7], false), true);
  assert.equal(multipliesIntegers([0, 255], [-8, 7], false), true);
  assert.equal(multipliesIntegers([0, 255], [-128, 127], false), false); // 2 * 255 * 128 is more than 16 bits hold
  assert.equal(multipliesIntegers([0, 255], [-128, 127], true), true);
  assert.equal(multipliesIntegers([-8, 7], [-8, 7], true), false); // signed inputs
  assert.equal(multipliesIntegers([0, 15], [-300, 300], true), false); // no byte
});

test("NaN in an input, a weight or a scale shows in the result, through bytes and rectifiers", (engine) => {
  const program = engine.compile(({ x, w, s }: Named) => {
    const h = relu(tf.add(x!, 0.5)), q = roundClip(h, { low: 0, high: 15 });
    return { y: convolution(q, tf.mul(roundClip(w!, { low: -8, high: 7 }), s!), { stride: 1 }), h };
  }, { large: 1 });
  const sizes = { x: 2 * 8 * 8 * 16, w: 9 * 16 * 16, s: 16 };
  const shapes = { x: [2, 8, 8, 16], w: [3, 3, 16, 16], s: [16] };
  for (const bad of [null, "x", "w", "s"] as const) {
    for (const value of bad === "x" ? [NaN] : [NaN, Infinity]) {
      const inputs = Object.fromEntries((["x", "w", "s"] as const).map((name) => {
        const values = new Float32Array(sizes[name]).fill(1);
        if (name === bad) values[5] = value;
        return [name, tf.tensor(values, shapes[name])];
      }));
      const { y, h } = program(inputs), found = Array.from(y!.dataSync()).some(Number.isNaN);
      const expected = bad !== null && (Number.isNaN(value) || bad === "s"); // infinity is clipped; its product with 0 is NaN
      if (bad !== "s" || Number.isNaN(value)) assert.equal(found, expected, `${value} in ${bad}`);
      else assert.ok(!Array.from(y!.dataSync()).every(Number.isFinite), "an infinite scale");
      if (bad === "x") assert.ok(Array.from(h!.dataSync()).some(Number.isNaN), "relu");
      tf.dispose([y!, h!, ...Object.values(inputs)]);
    }
  }
  program.dispose();
});

// engine tensorflow sums a channel of 131,072 values in one float32: 4.3e-5 of the variance, measured 2026-11-29
const NORM_TOLERANCE = { onednn: 1e-6, wasm: 1e-6, tensorflow: 1e-4 } as const;

testOnEngines(
  "batch norm's mean and variance at [128, 32, 32, 64] are right within the engine's tolerance",
  (engine) => {
    const shape: [number, number, number, number] = [128, 32, 32, 64], [channels, n] = [64, 128 * 32 * 32];
    const x = levels(n * channels, { low: 0, high: 2 ** 20, seed: 3 }).map((value) => value / 2 ** 20 + 1);
    const means = new Float64Array(channels), variances = new Float64Array(channels);
    x.forEach((value, at) => means[at % channels]! += value / n);
    x.forEach((value, at) => variances[at % channels]! += (value - means[at % channels]!) ** 2 / (n - 1));
    const program = engine.compile(({ x, gamma, beta }: Named) => {
      const { mean, variance } = batchNormTraining(x!, gamma!, beta!, 1e-5);
      return { mean, variance };
    });
    const inputs = { x: tf.tensor4d(x, shape), gamma: tf.ones([channels]), beta: tf.zeros([channels]) };
    const { mean, variance } = program(inputs), tolerance = NORM_TOLERANCE[engine.name];
    for (const [actual, expected] of [[mean, means], [variance, variances]] as const) {
      actual!.dataSync().forEach((value, c) =>
        assert.ok(Math.abs(value / expected[c]! - 1) <= tolerance, `channel ${c}: ${value} instead of ${expected[c]}`)
      );
    }
    tf.dispose([mean!, variance!, ...Object.values(inputs)]);
    program.dispose();
  },
);

Deno.test("fuse() measures a tensor once for all its batch norms whose gamma is there by then", () => {
  const statistics = (isEarly: boolean) => {
    const x = makeUse([2, 8, 8, 16], "float32", { input: 0 }), vector = makeUse([16], "float32", { input: 1 });
    const late = makeUse([16], "float32"), y = [makeUse(x.shape, "float32"), makeUse(x.shape, "float32")];
    const norm = (gamma: Use, y: Use): Node => ({
      kernel: "BatchNormTraining",
      inputs: { x, gamma, beta: vector },
      attrs: { epsilon: 1e-5 },
      outputs: [y, ...Array.from({ length: 3 }, () => makeUse([16], "float32")), makeUse([1], "float32")],
    });
    const made: Node = { kernel: "Square", inputs: { x: vector }, attrs: {}, outputs: [late] };
    const norms = [norm(vector, y[0]!), norm(late, y[1]!)];
    const nodes = isEarly ? [made, ...norms] : [norms[0]!, made, norms[1]!];
    return fuse({ nodes, inputs: [x, vector], outputs: y }, { bytesAreExact: true, large: 1 }).nodes
      .filter(({ kernel }) => kernel === "NormStatistics").length;
  };
  assert.deepEqual([statistics(true), statistics(false)], [1, 2]);
});

test("two batch norms of one tensor give the bits of each alone, their gradients too", (engine) => {
  const shape = [4, 16, 16, 16], values = levels(4 * 16 * 16 * 16, { low: -99, high: 99, seed: 1 });
  const inputs = {
    x: tf.tensor(values, shape),
    dy: tf.tensor(levels(values.length, { low: -9, high: 9, seed: 2 }), shape),
    gamma: tf.tensor(levels(16, { low: 1, high: 5, seed: 3 })),
    beta: tf.ones([16]),
  };
  const one = ({ x, dy, gamma, beta }: Named, factor: number) => {
    const { y, mean, variance } = batchNormTraining(x!, tf.mul(gamma!, factor), beta!, 1e-5);
    return { loss: tf.sum(tf.mul(y, dy!)), y, mean, variance };
  };
  const withGradient = (given: Named, factors: readonly number[]) => {
    const results: Named[] = [];
    const dx = tf.grad((x) =>
      factors.map((factor) => {
        const { loss, ...others } = one({ ...given, x }, factor);
        results.push(others);
        return loss!;
      }).reduce((a, b) => tf.add(a, b))
    )(given["x"]!);
    return Object.assign(
      Object.fromEntries(
        results.flatMap((result, i) =>
          Object.entries(result).map(([name, tensor]) => [`${name}${factors[i]}`, tensor])
        ),
      ),
      { dx },
    );
  };
  const run = (factors: readonly number[]) => {
    const program = engine.compile((given: Named) => withGradient(given, factors), { large: 1 });
    const result = program(inputs), read = Object.entries(result).map(([name, tensor]) => [name, tensor.dataSync()]);
    tf.dispose(result);
    program.dispose();
    return Object.fromEntries(read) as Record<string, Float32Array>;
  };
  const [both, first, second] = [run([1, 3]), run([1]), run([3])], { dx, ...others } = both;
  for (const [name, values] of Object.entries(others)) assert.deepEqual(values, (first[name] ?? second[name])!, name);
  assert.deepEqual(dx, first["dx"]!.map((value, i) => Math.fround(value + second["dx"]![i]!)));
  tf.dispose(inputs);
});

Deno.test("an arena never gives two living values the same room, and uses freed room again", () => {
  const steps = fc.array(fc.record({ bytes: fc.integer({ min: 0, max: 5000 }), frees: fc.nat() }), { maxLength: 60 });
  fc.assert(fc.property(steps, (steps) => {
    const arena = new Arena(), living: { offset: number; bytes: number }[] = [];
    for (const { bytes, frees } of steps) {
      const offset = arena.take(bytes);
      assert.equal(offset % 64, 0);
      for (const other of living) {
        assert.ok(
          offset >= other.offset + other.bytes || offset + bytes <= other.offset,
          `${offset} of ${bytes} bytes`,
        );
      }
      living.push({ offset, bytes: Math.max(bytes, 1) });
      if (frees % 2) {
        const [gone] = living.splice(frees % living.length, 1);
        arena.release(gone!.offset, gone!.bytes);
      }
    }
    for (const { offset, bytes } of living) arena.release(offset, bytes);
    const { size } = arena;
    if (size > 0) assert.equal(arena.take(size), 0);
    assert.equal(arena.size, size);
  }));
});
