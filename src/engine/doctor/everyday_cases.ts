/**
 * The doctor's cases of tfjs's everyday kernels: elementwise, reductions and moves.
 *
 * Not `GatherV2`: only the loops of engine tensorflow use it, which have tests of their own.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { type Case, wave } from "./cases.ts";
import { mapValues, type Values, valuesOf } from "./reference.ts";

interface Unary {
  readonly run: (x: Tensor) => Tensor;
  readonly value: (x: number) => number;
  /** Its derivative. */
  readonly slope: (x: number) => number;
}

/** On positive inputs that no kink is at. */
const UNARY: Readonly<Record<string, Unary>> = {
  Abs: { run: tf.abs, value: Math.abs, slope: Math.sign },
  ClipByValue: {
    run: (x) => tf.clipByValue(x, 0.5, 1.5),
    value: (x) => Math.min(Math.max(x, 0.5), 1.5),
    slope: (x) => x > 0.5 && x < 1.5 ? 1 : 0,
  },
  Exp: { run: tf.exp, value: Math.exp, slope: Math.exp },
  Floor: { run: tf.floor, value: Math.floor, slope: () => 0 },
  Log: { run: tf.log, value: Math.log, slope: (x) => 1 / x },
  Neg: { run: tf.neg, value: (x) => -x, slope: () => -1 },
  Reciprocal: { run: tf.reciprocal, value: (x) => 1 / x, slope: (x) => -1 / x ** 2 },
  Round: { run: tf.round, value: Math.round, slope: () => 0 },
  Rsqrt: { run: tf.rsqrt, value: (x) => 1 / Math.sqrt(x), slope: (x) => -0.5 * x ** -1.5 },
  Sigmoid: {
    run: tf.sigmoid,
    value: (x) => 1 / (1 + Math.exp(-x)),
    slope: (x) => 1 / (1 + Math.exp(-x)) * (1 - 1 / (1 + Math.exp(-x))),
  },
  Softplus: { run: tf.softplus, value: (x) => Math.log1p(Math.exp(x)), slope: (x) => 1 / (1 + Math.exp(-x)) },
  Sqrt: { run: tf.sqrt, value: Math.sqrt, slope: (x) => 0.5 / Math.sqrt(x) },
  Square: { run: tf.square, value: (x) => x * x, slope: (x) => 2 * x },
  Tanh: { run: tf.tanh, value: Math.tanh, slope: (x) => 1 - Math.tanh(x) ** 2 },
};

function unary(name: string, { run, value, slope }: Unary): Case {
  const x = valuesOf([9], (i) => Math.fround(0.13 + 0.27 * i)), dy = wave([9], 1);
  return {
    inputs: { x, dy },
    program: ({ x, dy }) => ({ [name]: run(x!), [`${name}: gradient`]: tf.grad(run)(x!, dy!) }),
    expected: ({ x, dy }) => ({
      [name]: mapValues(x!, value),
      // where the slope is 0 by definition, no gradient passes, be it NaN
      [`${name}: gradient`]: mapValues(dy!, (g, i) => slope(x!.values[i]!) === 0 ? 0 : g * slope(x!.values[i]!)),
    }),
  };
}

interface Binary {
  readonly run: (a: Tensor, b: Tensor) => Tensor;
  readonly value: (a: number, b: number) => number;
}

/** A matrix with a row vector that some of its elements equal. */
const BINARY: Readonly<Record<string, Binary>> = {
  Add: { run: tf.add, value: (a, b) => a + b },
  Equal: { run: (a, b) => tf.cast(tf.equal(a, b), "float32"), value: (a, b) => Number(a === b) },
  Greater: { run: (a, b) => tf.cast(tf.greater(a, b), "float32"), value: (a, b) => Number(a > b) },
  Maximum: { run: tf.maximum, value: Math.max },
  Minimum: { run: tf.minimum, value: Math.min },
  Multiply: { run: tf.mul, value: (a, b) => a * b },
  RealDiv: { run: tf.div, value: (a, b) => a / b },
  SquaredDifference: { run: tf.squaredDifference, value: (a, b) => (a - b) ** 2 },
  Sub: { run: tf.sub, value: (a, b) => a - b },
};

function binary(name: string, { run, value }: Binary): Case {
  const b = wave([6], 2), a = mapValues(wave([4, 6], 1), (other, i) => i % 5 ? other : b.values[i % 6]!);
  return {
    inputs: { a, b },
    program: ({ a, b }) => ({ [name]: run(a!, b!) }),
    expected: ({ a, b }) => ({ [name]: mapValues(a!, (left, i) => value(left, b!.values[i % 6]!)) }),
  };
}

/** The values of one row of a matrix, or of one column. */
function line({ shape, values }: Values, { row, column }: { row?: number; column?: number }): number[] {
  const width = shape[1]!;
  return Array.from(values).filter((_, at) => (row ?? Math.floor(at / width)) === Math.floor(at / width))
    .filter((_, at) => column === undefined || at % width === column);
}

function reductions(): Case {
  const x = wave([4, 6], 3), sum = (values: number[]) => values.reduce((a, b) => a + b, 0);
  const rows = (x: Values, f: (values: number[]) => number) => valuesOf([4], (row) => f(line(x, { row })));
  const columns = (x: Values, f: (values: number[]) => number) => valuesOf([6], (column) => f(line(x, { column })));
  return {
    inputs: { x },
    program: ({ x }) => ({
      "Sum: rows": tf.sum(x!, 1),
      "Sum: columns": tf.sum(x!, 0),
      "Sum: gradient": tf.grad((x) => tf.sum(x, 0))(x!, tf.tensor1d([1, 10, 100, 1000, 1, 10])),
      "Mean: rows": tf.mean(x!, 1),
      "Mean: columns": tf.mean(x!, 0),
      "Max": tf.max(x!, 1),
      "Min": tf.min(x!, 0),
      "ArgMax": tf.cast(tf.argMax(x!, 1), "float32"),
    }),
    orders: ["ArgMax"],
    expected: ({ x }) => ({
      "Sum: rows": rows(x!, sum),
      "Sum: columns": columns(x!, sum),
      "Sum: gradient": mapValues(x!, (_, at) => 10 ** (at % 6 % 4)),
      "Mean: rows": rows(x!, (values) => sum(values) / 6),
      "Mean: columns": columns(x!, (values) => sum(values) / 4),
      "Max": rows(x!, (values) => Math.max(...values)),
      "Min": columns(x!, (values) => Math.min(...values)),
      "ArgMax": rows(x!, (values) => values.indexOf(Math.max(...values))),
    }),
  };
}

/** One case a kernel, so that one that fails hides no other. */
function moves(): Case[] {
  const x = wave([3, 4], 4), labels = valuesOf([3], (i) => [2, 0, 3][i]!);
  const at = (x: Values, row: number, column: number) => x.values[row * 4 + column]!;
  const cases: Record<string, [(x: Tensor, labels: Tensor) => Tensor, (x: Values) => Values]> = {
    AddN: [(x) => tf.addN([x, x, x]), (x) => mapValues(x, (value) => 3 * value)],
    Concat: [(x) => tf.concat([x, x], 0), (x) => valuesOf([6, 4], (i) => x.values[i % 12]!)],
    OneHot: [
      (_, labels) => tf.cast(tf.oneHot(labels, 4), "float32"),
      () => valuesOf([3, 4], (i) => Number(labels.values[Math.floor(i / 4)] === i % 4)),
    ],
    Pack: [
      (x) => tf.stack([x, tf.neg(x)], 1),
      (x) => valuesOf([3, 2, 4], (i) => (i % 8 < 4 ? 1 : -1) * at(x, Math.floor(i / 8), i % 4)),
    ],
    PadV2: [
      (x) => tf.pad(x, [[1, 0], [0, 2]]),
      (x) => valuesOf([4, 6], (i) => i < 6 || i % 6 > 3 ? 0 : at(x, Math.floor(i / 6) - 1, i % 6)),
    ],
    Select: [
      (x) => tf.where(tf.greater(x, 0), x, tf.zerosLike(x)),
      (x) => mapValues(x, (value) => value > 0 ? value : 0),
    ],
    Slice: [
      (x) => tf.slice(x, [1, 1], [2, 2]),
      (x) => valuesOf([2, 2], (i) => at(x, 1 + Math.floor(i / 2), 1 + i % 2)),
    ],
    SplitV: [(x) => tf.split(x, 2, 1)[1]!, (x) => valuesOf([3, 2], (i) => at(x, Math.floor(i / 2), 2 + i % 2))],
    Tile: [(x) => tf.tile(x, [1, 2]), (x) => valuesOf([3, 8], (i) => at(x, Math.floor(i / 8), i % 4))],
    TopK: [
      (x) => tf.topk(x, 2).values,
      (x) => valuesOf([3, 2], (i) => line(x, { row: Math.floor(i / 2) }).sort((a, b) => b - a)[i % 2]!),
    ],
    Transpose: [(x) => tf.transpose(x, [1, 0]), (x) => valuesOf([4, 3], (i) => at(x, i % 3, Math.floor(i / 3)))],
  };
  return Object.entries(cases).map(([name, [run, expected]]) => ({
    inputs: { x, labels },
    integers: ["labels"],
    program: ({ x, labels }) => ({ [name]: run(x!, labels!) }),
    orders: ["TopK"],
    expected: ({ x }) => ({ [name]: expected(x!) }),
  }));
}

/** Every case of tfjs's everyday kernels. */
export function everydayCases(): Case[] {
  return [
    ...Object.entries(UNARY).map(([name, op]) => unary(name, op)),
    ...Object.entries(BINARY).map(([name, op]) => binary(name, op)),
    reductions(),
    ...moves(),
  ];
}
