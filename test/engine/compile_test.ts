import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { openEngine } from "../../src/engine/mod.ts";
import { roundClip } from "../../src/engine/ops.ts";
import type { Engine, EngineName } from "../../src/engine/types.ts";
import { ENGINES } from "../support/engines.ts";
import { useXlaFlags } from "../support/xla.ts";

useXlaFlags();

type Named = Record<string, Tensor>;

/** Engines that record programs. */
const RECORDING = ["tensorflow", "onednn"] as const;

function test(name: string, body: (engine: Engine) => void, names: readonly EngineName[] = RECORDING): void {
  for (const engineName of names) {
    Deno.test({
      name: `${name} [${engineName}]`,
      ignore: !ENGINES.includes(engineName),
      fn: async () => body(await openEngine(engineName)),
    });
  }
}

/** What is alive: tfjs's tensors, the backend's data, and handles of TensorFlow. */
function alive(): number[] {
  const { binding } = tf.backend() as unknown as { binding?: { getNumOfTensors(): number } };
  return [tf.memory().numTensors, tf.backend().numDataIds(), ...(binding ? [binding.getNumOfTensors()] : [])];
}

function read(tensor: Tensor): number[] {
  const values = Array.from(tensor.dataSync());
  tensor.dispose();
  return values;
}

/** A program that adds 1 and counts how often it is run itself, that is recorded. */
function counted(): { program: (inputs: { x: Tensor }) => { y: Tensor }; runs: () => number } {
  let runs = 0;
  return {
    program: ({ x }) => {
      runs++;
      return { y: tf.add(x, 1) };
    },
    runs: () => runs,
  };
}

/** One step of gradient descent of a small nonlinear model. */
function step({ x, y, w, b }: Named): Named {
  const loss = (w: Tensor, b: Tensor) => {
    const hidden = roundClip(tf.add(tf.matMul(x as tf.Tensor2D, w as tf.Tensor2D), b), { low: -4, high: 3 });
    return tf.sum(tf.square(tf.sub(tf.sum(tf.tanh(tf.mul(hidden, 0.3)), 1), y!)));
  };
  const { value, grads } = tf.valueAndGrads(loss as (...tensors: Tensor[]) => tf.Scalar)([w!, b!]);
  return { loss: value, w: tf.sub(w!, tf.mul(grads[0]!, 0.01)), b: tf.sub(b!, tf.mul(grads[1]!, 0.01)) };
}

function stepInputs(): Named {
  const wave = (shape: number[], seed: number) =>
    tf.tensor(Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => Math.sin(1.7 * i + seed)), shape);
  return { x: wave([5, 3], 1), y: wave([5], 2), w: wave([3, 4], 3), b: wave([4], 4) };
}

test("compile() gives the bytes of the program run eagerly", (engine) => {
  tf.tidy(() => {
    const compiled = engine.compile(step), inputs = stepInputs(), eager = step(inputs);
    for (let round = 0; round < 2; round++) {
      const outputs = compiled(inputs);
      for (const name of ["loss", "w", "b"]) {
        assert.deepEqual(outputs[name]!.shape, eager[name]!.shape);
        assert.deepEqual(outputs[name]!.dataSync(), eager[name]!.dataSync(), name);
      }
    }
    assert.notEqual(eager["w"]!.dataSync()[0], inputs["w"]!.dataSync()[0]);
  });
});

test("compile() records once a signature, and again for another shape, dtype or name", (engine) => {
  const { program, runs } = counted(), compiled = engine.compile(program);
  const record = (x: Tensor) => read(compiled({ x }).y);
  for (let i = 0; i < 3; i++) assert.deepEqual(record(tf.tensor1d([i, 10])), [i + 1, 11]);
  assert.equal(runs(), 1);
  assert.deepEqual(record(tf.tensor1d([1])), [2]);
  assert.equal(runs(), 2);
  assert.deepEqual(record(tf.tensor2d([[1, 2]])), [2, 3]);
  assert.equal(runs(), 3);
  assert.deepEqual(record(tf.tensor1d([1, 2], "int32")), [2, 3]);
  assert.equal(runs(), 4);
  const x = tf.tensor1d([5, 6]), extra = tf.scalar(1);
  assert.deepEqual(read(compiled({ x, extra } as { x: Tensor }).y), [6, 7]);
  assert.equal(runs(), 5);
  assert.deepEqual(record(x), [6, 7]);
  assert.equal(runs(), 5);
  compiled.dispose();
});

test("compile() records again for inputs that differ by an empty node alone", (engine) => {
  const { program, runs } = counted(), compiled = engine.compile(program), x = tf.tensor1d([1]);
  const inputs = [{ x }, { x, extra: {} }, { x, extra: { deep: {} } }, { x, extra: {} }] as { x: Tensor }[];
  const counts = inputs.map((input) => (read(compiled(input).y), runs()));
  assert.deepEqual(counts, [1, 2, 3, 3]);
  compiled.dispose();
  x.dispose();
});

test("compile() keeps `signatures` recordings, forgets the one not used for longest, and makes it anew", (engine) => {
  const { program, runs } = counted(), compiled = engine.compile(program, { signatures: 2 });
  const use = (size: number) => {
    const x = tf.zeros([size]);
    assert.deepEqual(read(compiled({ x }).y), new Array(size).fill(1));
    x.dispose();
    return runs();
  };
  assert.deepEqual([1, 2, 1, 3].map(use), [1, 2, 2, 3]); // 3 takes the place of 2
  assert.deepEqual([1, 3].map(use), [3, 3]);
  assert.deepEqual([2, 3, 1].map(use), [4, 4, 5]); // 2 of 1, then 1 of 2
  compiled.dispose();
});

test("compile() refuses to keep no signature", (engine) => {
  assert.throws(() => engine.compile(counted().program, { signatures: 0 }), {
    name: "RangeError",
    message: "Cannot compile a program as signatures must be at least 1: current value is 0",
  });
});

test("dispose() frees the recordings; a later call records anew", (engine) => {
  const { program, runs } = counted(), compiled = engine.compile(program), x = tf.tensor1d([1]);
  assert.deepEqual(read(compiled({ x }).y), [2]);
  compiled.dispose();
  compiled.dispose();
  assert.deepEqual(read(compiled({ x }).y), [2]);
  assert.equal(runs(), 2);
  compiled.dispose();
});

test("compile() hands every output to the caller: an input, an input reshaped, one tensor twice", (engine) => {
  const before = alive();
  const compiled = engine.compile(({ x }: Named) => {
    const double = tf.mul(x!, 2);
    return { same: x!, flat: tf.reshape(x!, [4]), nested: { first: double, second: double } };
  });
  const x = tf.tensor2d([[1, 2], [3, 4]]), { same, flat, nested } = compiled({ x });
  tf.dispose([x, nested.first]);
  assert.deepEqual([same.shape, read(same)], [[2, 2], [1, 2, 3, 4]]);
  assert.deepEqual([flat.shape, read(tf.add(flat, 0))], [[4], [1, 2, 3, 4]]);
  assert.deepEqual(read(nested.second), [2, 4, 6, 8]);
  flat.dispose();
  compiled.dispose();
  assert.deepEqual(alive(), before);
});

test("compile() takes one tensor at two places, no inputs, and outputs that are constants", (engine) => {
  const x = tf.tensor1d([3]), squared = engine.compile(({ a, b }: Named) => ({ y: tf.mul(a!, b!) }));
  assert.deepEqual(read(squared({ a: x, b: x }).y), [9]);
  const constant = engine.compile((_: Record<never, Tensor>) => ({ y: tf.tensor1d([1, 2]), n: tf.scalar(7, "int32") }));
  const { y, n } = constant({});
  assert.deepEqual([y.dtype, read(y), n.dtype, read(n)], ["float32", [1, 2], "int32", [7]]);
  squared.dispose();
  constant.dispose();
});

test("a tensor from outside becomes a constant of each recording, and stays good outside", (engine) => {
  // tfjs uploads values at first use: here inside a recording, where they must not become a node of its graph
  const before = alive(), outside = tf.tensor1d([1, 2, 3]);
  const compiled = engine.compile(({ x }: Named) => ({ y: tf.mul(x!, outside) }));
  const x = tf.tensor1d([10, 10, 10]), row = tf.tensor2d([[1, 1, 1]]);
  assert.deepEqual(read(compiled({ x }).y), [10, 20, 30]);
  assert.deepEqual(read(tf.add(outside, 1)), [2, 3, 4]);
  assert.deepEqual(read(compiled({ x: row }).y), [1, 2, 3]);
  assert.deepEqual(Array.from(outside.dataSync()), [1, 2, 3]);
  outside.dispose();
  assert.deepEqual(read(compiled({ x }).y), [10, 20, 30]);
  tf.dispose([x, row]);
  compiled.dispose();
  assert.deepEqual(alive(), before);
});

test("compile() leaks nothing over 200 training steps, and the loss falls", (engine) => {
  const compiled = engine.compile(step), { x, y, w, b } = stepInputs(), losses: number[] = [];
  let parameters: Named = { w: w!, b: b! }, before: number[] = [];
  for (let i = 0; i < 201; i++) {
    if (i === 1) before = alive(); // the first call uploads the inputs
    const { loss, ...updated } = compiled({ x: x!, y: y!, ...parameters });
    losses.push(...read(loss!));
    tf.dispose(parameters);
    parameters = updated;
  }
  assert.deepEqual(alive(), before);
  assert.ok(losses.at(-1)! < 0.9 * losses[0]!, `${losses[0]} to ${losses.at(-1)}`);
  tf.dispose([x!, y!, ...Object.values(parameters)]);
  compiled.dispose();
});

test("recording leaks nothing, whether the program ends or throws", (engine) => {
  const before = alive();
  for (let i = 0; i < 20; i++) {
    const inputs = stepInputs(), compiled = engine.compile(step);
    tf.dispose(Object.values(compiled(inputs)));
    compiled.dispose();
    const failing = engine.compile(({ x }: Named) => {
      tf.mul(tf.add(x!, tf.ones([3])), 2);
      throw new Error("on purpose");
    });
    assert.throws(() => failing(inputs), /^Error: on purpose$/);
    tf.dispose(Object.values(inputs));
  }
  assert.deepEqual(alive(), before);
});

test("batch normalisation run eagerly leaves no tensor of its own", () => {
  const before = alive();
  for (let i = 0; i < 3; i++) {
    const inputs = { x: tf.ones([1, 2, 2, 3]), gamma: tf.ones([3]), beta: tf.zeros([3]) };
    const results = tf.engine().runKernel("BatchNormTraining", inputs, { epsilon: 1e-5 }) as Tensor[];
    tf.dispose([...results, ...Object.values(inputs)]);
  }
  assert.deepEqual(alive(), before);
});

test("roundClip() takes every range, also those that FakeQuant lacks", (engine) => {
  // 1 bit: {0, 1} and {-1, 0}; 5 and 6 levels: neither 2^b nor 2^b - 1
  for (const [low, high] of [[0, 1], [-1, 0], [0, 2], [0, 4], [-2, 3], [-128, 127], [0, 255]] as const) {
    const values = [low - 3, low - 0.1, low, low + 0.4, low + 0.5, high - 0.6, high, high + 0.1, 300, NaN];
    const x = tf.tensor1d(values), dy = tf.tensor1d(values.map((_, i) => i + 1));
    const program = ({ x, dy }: Named) => ({
      y: roundClip(x!, { low, high }),
      dx: tf.grad((x: Tensor) => roundClip(x, { low, high }))(x!, dy!),
    });
    const clip = (value: number) => Math.min(Math.max(Math.fround(value), low), high);
    for (const run of [program, engine.compile(program)]) {
      const { y, dx } = run({ x, dy });
      assert.deepEqual(read(y), values.map((value) => Math.floor(clip(value) + 0.5)), `${low} to ${high}`);
      assert.deepEqual(read(dx), values.map((value, i) => clip(value) === Math.fround(value) ? i + 1 : 0));
    }
    tf.dispose([x, dy]);
  }
});

test("compile({ xla: true }) gives what the plain form gives", (engine) => {
  const inputs = stepInputs(), plain = engine.compile(step, { xla: false }), xla = engine.compile(step, { xla: true });
  const expected = plain(inputs), actual = xla(inputs);
  for (const name of ["loss", "w", "b"]) {
    const values = expected[name]!.dataSync();
    actual[name]!.dataSync().forEach((value, i) => {
      assert.ok(Math.abs(value - values[i]!) <= 1e-5 * Math.max(1, Math.abs(values[i]!)), `${name}: ${value}`);
    });
  }
  tf.dispose([inputs, expected, actual] as unknown as Tensor[]);
  plain.dispose();
  xla.dispose();
}, ["tensorflow"]);
