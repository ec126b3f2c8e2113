/** Max pooling on every engine: eagerly, recorded, and by XLA. */
import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import fc from "../support/npm/fast_check.ts";
import { poolWinners, valuesOf } from "../../src/engine/doctor/reference.ts";
import { maxPool, pooledLength, type PoolingOptions } from "../../src/engine/ops.ts";
import type { Engine } from "../../src/engine/types.ts";
import { testOnEngines } from "../support/engines.ts";
import { goldenJson } from "../support/golden.ts";

interface Pooled {
  readonly shape: number[];
  readonly y: number[];
  readonly dx: number[];
}

interface Images {
  readonly shape: number[];
  readonly values: number[];
}

type Mode = "eager" | "recorded" | "xla";

function modesOf(engine: Engine): Mode[] {
  return engine.name === "tensorflow" ? ["eager", "recorded", "xla"] : ["eager", "recorded"];
}

/** The pooled images and the gradient of sum(dy y); `dy` gives element i. */
function pool(
  engine: Engine,
  images: Images,
  options: PoolingOptions & { dy: (i: number) => number; mode: Mode },
): Pooled {
  const shape = images.shape.map((size, axis) => axis === 1 || axis === 2 ? pooledLength(size, options) : size);
  const program = ({ x, dy }: { x: Tensor; dy: Tensor }) => {
    const { value, grad } = tf.valueAndGrad((x: Tensor) => maxPool(x, options))(x, dy);
    return { y: value, dx: grad };
  };
  const compiled = options.mode === "eager" ? null : engine.compile(program, { xla: options.mode === "xla" });
  const size = shape.reduce((product, dim) => product * dim, 1);
  const inputs = {
    x: tf.tensor(images.values, images.shape, "float32"),
    dy: tf.tensor(Array.from({ length: size }, (_, i) => options.dy(i)), shape, "float32"),
  };
  const { y, dx } = (compiled ?? program)(inputs),
    result = { shape: y.shape, y: [...y.dataSync()], dx: [...dx.dataSync()] };
  tf.dispose([inputs.x, inputs.dy, y, dx]);
  compiled?.dispose();
  return result;
}

testOnEngines("maxPool() gives each window's maximum, and its gradient to the first of equal ones", (engine) => {
  // 3 x 3 windows of stride 2 behind one pixel of padding start at rows and columns -1 and 1
  //   1 5 5 2     rows 0-1, columns 0-1: 5 at (0, 1)    columns 1-3: 5 at (0, 1), before (0, 2)
  //   3 4 5 1     rows 1-3, columns 0-1: 7 at (2, 0)    columns 1-3: 8 at (2, 3), before (3, 2)
  //   7 7 0 8
  //   7 7 8 8
  const images = { shape: [1, 4, 4, 1], values: [1, 5, 5, 2, 3, 4, 5, 1, 7, 7, 0, 8, 7, 7, 8, 8] };
  for (const mode of modesOf(engine)) {
    const pooled = pool(engine, images, { size: 3, stride: 2, padding: 1, dy: (i) => 10 ** i, mode });
    const dx = [0, 11, 0, 0, 0, 0, 0, 0, 100, 0, 0, 1000, 0, 0, 0, 0];
    assert.deepEqual(pooled, { shape: [1, 2, 2, 1], y: [5, 5, 7, 8], dx }, mode);
  }
});

interface Golden extends PoolingOptions {
  readonly shape: number[];
  readonly pooled: number[];
  readonly x: (number | string)[];
  readonly y: (number | string)[];
  readonly dy: number[];
  readonly dx: number[];
}

const SPECIAL: Readonly<Record<string, number>> = { nan: NaN, inf: Infinity, "-inf": -Infinity };

testOnEngines("maxPool() and its gradient equal PyTorch's, with NaN and infinities, to the last bit", (engine) => {
  const numbers = (values: readonly (number | string)[]) => values.map((v) => typeof v === "string" ? SPECIAL[v]! : v);
  for (const { size, stride, padding, shape, pooled, x, y, dy, dx } of goldenJson<Golden[]>("max_pool.json")) {
    for (const mode of modesOf(engine)) {
      const actual = pool(engine, { shape, values: numbers(x) }, { size, stride, padding, dy: (i) => dy[i]!, mode });
      assert.deepEqual(actual, { shape: pooled, y: numbers(y), dx }, `${size} x ${size}, stride ${stride}, ${mode}`);
    }
  }
});

const GEOMETRY = fc.record({
  size: fc.integer({ min: 1, max: 4 }),
  stride: fc.integer({ min: 1, max: 4 }),
  padding: fc.integer({ min: 0, max: 2 }),
  shape: fc.tuple(...[2, 9, 9, 3].map((max) => fc.integer({ min: 1, max }))),
}).filter(({ size, padding, shape }) => padding <= size / 2 && Math.min(shape[1]!, shape[2]!) + 2 * padding >= size);

testOnEngines("maxPool() picks the pixels that the definition picks, whatever the window and the image", (engine) => {
  fc.assert(
    fc.property(GEOMETRY, fc.integer({ min: 1, max: 50 }), ({ shape, ...options }, levels) => {
      // few levels: many ties
      const x = valuesOf(shape, (i) => (i * 7919) % 101 % levels), winners = poolWinners(x, options);
      const dx = valuesOf(shape);
      winners.values.forEach((place, i) => dx.values[place]! += i + 1);
      const images = { shape, values: [...x.values] };
      // recordings for each new shape would take most of the time
      const actual = pool(engine, images, { ...options, dy: (i) => i + 1, mode: "eager" });
      const expected = {
        shape: winners.shape,
        y: Array.from(winners.values, (place) => x.values[place]!),
        dx: [...dx.values],
      };
      assert.deepEqual(actual, expected);
    }),
    { numRuns: 200, seed: 20 },
  );
});

testOnEngines("maxPool() and its gradient leave no tensor behind", (engine) => {
  const images = { shape: [2, 5, 5, 3], values: Array.from({ length: 150 }, (_, i) => i % 7) };
  const once = (mode: Mode) => pool(engine, images, { size: 3, stride: 2, padding: 1, dy: (i) => i, mode });
  for (const mode of modesOf(engine)) {
    once(mode);
    const { numTensors } = tf.memory();
    once(mode);
    assert.equal(tf.memory().numTensors, numTensors, mode);
  }
});
