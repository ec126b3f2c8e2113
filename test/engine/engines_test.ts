/**
 * Engine by engine: each program and its gradients on wasm, on tensorflow eagerly, and on tensorflow recorded.
 *
 * 1e-5 of the largest value is what float32 keeps of sums of some hundred terms in any order. Inputs keep away from kinks
 * (rounding edges, bounds, ties), where engines may rightly differ.
 */
import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { openEngine } from "../../src/engine/mod.ts";
import {
  batchNormTraining,
  convolution,
  logDet,
  oneHot,
  relu,
  relu6,
  roundClip,
  uniformPerturbation,
} from "../../src/engine/ops.ts";
import type { Engine, EngineName } from "../../src/engine/types.ts";
import { ENGINES } from "../support/engines.ts";

type Named = Record<string, Tensor>;
type Read = Record<string, { shape: number[]; values: ArrayLike<number> }>;

interface Case {
  readonly name: string;
  /** Float inputs: the gradient goes to each; `value` gives element i. */
  readonly inputs: Readonly<Record<string, { shape: number[]; value?: (i: number) => number }>>;
  /** Inputs without a gradient, by name. */
  readonly fixed?: () => Named;
  readonly f: (inputs: Named) => Tensor;
  /** @default 1e-5 */
  readonly tolerance?: number;
}

function wave(i: number): number {
  return Math.sin(1.7 * i + 1) + 0.5 * Math.cos(0.3 * i * i);
}

/** Multiples of 1/4 away from any multiple of 1/2: -3.25 to 3.25, so on both sides of every bound below. */
function offGrid(i: number): number {
  return ((i * 5) % 14) / 2 - 3.25;
}

/** [2, n, n], symmetric with a heavy diagonal. */
function positive(n: number): (i: number) => number {
  return (i) => {
    const row = Math.floor(i / n) % n, column = i % n;
    return row === column ? n + row : Math.sin(1.3 * (row + column) + Math.floor(i / n / n));
  };
}

function convolutionCase(name: string, options: { stride: number; depthwise?: boolean; k: number; h: number }): Case {
  const { stride, depthwise = false, k, h } = options;
  return {
    name: `convolution, ${depthwise ? "depthwise, " : ""}${name}`,
    inputs: { x: { shape: [2, h, h + 1, 3] }, filter: { shape: [k, k, 3, depthwise ? 1 : 4] } },
    f: ({ x, filter }) => convolution(x!, filter!, { stride, depthwise }),
  };
}

const CASES: readonly Case[] = [
  convolutionCase("3 x 3, stride 1", { k: 3, stride: 1, h: 5 }),
  convolutionCase("1 x 1, stride 1", { k: 1, stride: 1, h: 4 }),
  convolutionCase("3 x 3, stride 2, even", { k: 3, stride: 2, h: 6 }),
  convolutionCase("3 x 3, stride 2, odd", { k: 3, stride: 2, h: 7 }),
  convolutionCase("1 x 1, stride 2", { k: 1, stride: 2, h: 6 }),
  convolutionCase("3 x 3, stride 1", { k: 3, stride: 1, h: 5, depthwise: true }),
  convolutionCase("3 x 3, stride 2, even", { k: 3, stride: 2, h: 6, depthwise: true }),
  convolutionCase("3 x 3, stride 2, odd", { k: 3, stride: 2, h: 7, depthwise: true }),
  {
    name: "batch normalisation in training",
    inputs: { x: { shape: [3, 4, 5, 3] }, gamma: { shape: [3] }, beta: { shape: [3] } },
    f: ({ x, gamma, beta }) => batchNormTraining(x!, gamma!, beta!, 1e-5).y,
  },
  ...([[-4, 3], [0, 3], [-1, 0], [0, 1], [0, 4]] as const).map(([low, high]): Case => ({
    name: `roundClip to ${low} .. ${high}`,
    inputs: { x: { shape: [4, 7], value: offGrid } },
    f: ({ x }) => roundClip(x!, { low, high }),
    tolerance: 0,
  })),
  {
    name: "roundClip of one tensor to two ranges, and of what was rounded",
    inputs: { x: { shape: [4, 7], value: offGrid } },
    f: ({ x }) => {
      const first = roundClip(x!, { low: -2, high: 2 });
      return tf.addN([first, roundClip(x!, { low: 0, high: 3 }), roundClip(tf.mul(first, 0.7), { low: -1, high: 1 })]);
    },
    tolerance: 0,
  },
  {
    name: "vectors before and after a reshape, between products",
    inputs: { x: { shape: [2, 3, 1, 4] }, scale: { shape: [4] }, shift: { shape: [6] } },
    f: ({ x, scale, shift }) => tf.mul(tf.add(tf.reshape(tf.mul(x!, scale!), [4, 6]), shift!), 1.5),
  },
  { name: "relu", inputs: { x: { shape: [4, 7], value: offGrid } }, f: ({ x }) => relu(x!), tolerance: 0 },
  {
    name: "relu6",
    inputs: { x: { shape: [4, 7], value: (i) => 3 * offGrid(i) } },
    f: ({ x }) => relu6(x!),
    tolerance: 0,
  },
  { name: "logDet", inputs: { a: { shape: [2, 6, 6], value: positive(6) } }, f: ({ a }) => logDet(a!) },
  ...[1, 0].map((active): Case => ({
    name: `uniformPerturbation, ${active ? "on" : "off"}`,
    inputs: { x: { shape: [2, 3, 3, 5] } },
    fixed: () => ({ state: tf.tensor1d([7, -9, 0, 0, 123, 1], "int32"), active: tf.scalar(active) }),
    f: ({ x, state, active }) => uniformPerturbation(x!, { state: state!, active: active!, stream: 3 }),
    tolerance: 0,
  })),
  {
    name: "uniformPerturbation of nothing but noise, across the overflow of a counter",
    inputs: { x: { shape: [1003], value: () => 0 } },
    fixed: () => ({ state: tf.tensor1d([1, 2, -5, 4, 5, 6], "int32"), active: tf.scalar(1) }),
    f: ({ x, state, active }) => uniformPerturbation(x!, { state: state!, active: active!, stream: 0 }),
    tolerance: 0,
  },
  {
    name: "columns sorted by topk and oneHot",
    inputs: { x: { shape: [3, 5] } },
    fixed: () => ({ scale: tf.tensor1d([0.3, 2, 0.1, 5, 1]) }),
    f: ({ x, scale }) => {
      const permutation = oneHot(tf.topk(scale!, 5).indices, 5);
      return tf.matMul(x! as tf.Tensor2D, permutation as tf.Tensor2D, false, true);
    },
    tolerance: 0,
  },
  {
    name: "logSoftmax",
    inputs: { x: { shape: [4, 10], value: (i) => 3 * wave(i) } },
    f: ({ x }) => tf.logSoftmax(x!),
  },
  { name: "mean over height and width", inputs: { x: { shape: [2, 5, 4, 3] } }, f: ({ x }) => tf.mean(x!, [1, 2]) },
  { name: "mean of all", inputs: { x: { shape: [7, 9] } }, f: ({ x }) => tf.mean(x!) },
];

/** The program of a case: y, and the gradient of sum(y * sin(1), y * sin(2), ...) to every input. */
function programOf({ inputs, f }: Case): (given: Named) => Named {
  const names = Object.keys(inputs);
  return (given) => {
    const upstream = (y: Tensor) =>
      tf.tensor(Float32Array.from({ length: y.size }, (_, i) => Math.sin(0.9 * i + 1)), y.shape);
    let kept: Tensor | undefined;
    const { grads } = tf.valueAndGrads((...tensors: Tensor[]) => {
      const y = f({ ...given, ...Object.fromEntries(names.map((name, i) => [name, tensors[i]!])) });
      kept = tf.keep(tf.clone(y));
      return tf.sum(tf.mul(y, upstream(y)));
    })(names.map((name) => given[name]!));
    const y = tf.clone(kept!);
    kept!.dispose();
    return { y, ...Object.fromEntries(names.map((name, i) => [`gradient of ${name}`, grads[i]!])) };
  };
}

/** What each form of running a case gives, by form. */
async function results(given: Case, engine: Engine): Promise<Record<string, Read>> {
  await tf.setBackend(engine.name);
  const before = tf.memory().numTensors, program = programOf(given), compiled = engine.compile(program);
  const passes = engine.compile(program, { large: 1 });
  const inputs: Named = { ...given.fixed?.() };
  for (const [name, { shape, value = wave }] of Object.entries(given.inputs)) {
    inputs[name] = tf.tensor(Float32Array.from({ length: tf.util.sizeFromShape(shape) }, (_, i) => value(i)), shape);
  }
  const read = (run: (inputs: Named) => Named) =>
    tf.tidy(() =>
      Object.fromEntries(
        Object.entries(run(inputs)).map((
          [name, tensor],
        ) => [name, { shape: tensor.shape, values: tensor.dataSync().slice() }]),
      ) as unknown as tf.TensorContainer
    ) as unknown as Read;
  const found = { eager: read(program), compiled: read(compiled), again: read(compiled), passes: read(passes) };
  tf.dispose(inputs);
  compiled.dispose();
  passes.dispose();
  assert.equal(tf.memory().numTensors, before);
  return found;
}

function assertClose(actual: Read, expected: Read, options: { tolerance: number; what: string }): void {
  assert.deepEqual(Object.keys(actual).sort(), Object.keys(expected).sort());
  for (const [name, { shape, values }] of Object.entries(expected)) {
    const other = actual[name]!, what = `${options.what}: ${name}`;
    assert.deepEqual(other.shape, shape, what);
    const scale = Array.from(values).reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    assert.ok(scale > 0, `${what} is all zero`);
    for (let i = 0; i < values.length; i++) {
      const error = Math.abs(other.values[i]! - values[i]!) / scale;
      assert.ok(error <= options.tolerance, `${what}: element ${i} is ${other.values[i]} instead of ${values[i]}`);
    }
  }
}

const engines = new Map<EngineName, Engine>();
for (const name of ENGINES) engines.set(name, await openEngine(name));

for (const given of CASES) {
  for (const name of ["tensorflow", "onednn"] as const) {
    Deno.test({
      name: `wasm = ${name} eager = ${name} compiled: ${given.name}`,
      ignore: !engines.has(name),
      async fn() {
        const tolerance = given.tolerance ?? 1e-5;
        const wasm = await results(given, engines.get("wasm")!);
        const other = await results(given, engines.get(name)!);
        assertClose(wasm["compiled"]!, wasm["eager"]!, { tolerance: 0, what: "wasm compiled" });
        assertClose(other["eager"]!, wasm["eager"]!, { tolerance, what: `${name} eager` });
        assertClose(other["compiled"]!, wasm["eager"]!, { tolerance, what: `${name} compiled` });
        assertClose(other["passes"]!, wasm["eager"]!, { tolerance, what: `${name} by passes` });
        assertClose(other["again"]!, other["compiled"]!, { tolerance: 0, what: `${name} a second time` });
      },
    });
  }
}
