/**
 * Products on a GPU that computes in TF32, whose operands have 11 bits: a forward convolution of a quantized layer multiplies
 * integers, and the scales come afterwards,
 *
 *   conv(q, levels s) = s conv(q, levels)
 *
 * TF32 holds integers up to 2^11, and float32 their sums up to 2^24, so this is exact. A quantized layer whose operands are
 * not both integers, or whose sum could be larger, stays float32; so do matrix products, as PyTorch's do by default. Other
 * convolutions (gradients, networks in full precision) are rounded, as PyTorch's are by default.
 */
import type { RoundBounds } from "../ops.ts";
import type { GraphOutput, Recorder } from "./recorder.ts";
import { ATTR, DTYPE, type OpAttribute } from "./runtime.ts";

/** An op that is about to be recorded. */
interface Op {
  readonly op: string;
  readonly attributes: readonly OpAttribute[];
  readonly inputs: readonly GraphOutput[];
}

/** Largest integer of a TF32 operand, and of a float32 sum. */
const LARGEST = { operand: 2 ** 11, sum: 2 ** 24 } as const;

/** A tensor as integers times scales, each one number or one for each channel. */
interface Levels {
  readonly levels: GraphOutput;
  readonly bounds: RoundBounds;
  readonly scales: readonly GraphOutput[];
}

function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** Finds the integers behind a tensor; null: there are none. */
function levelsOf(recorder: Recorder, tensor: GraphOutput): Levels | null {
  const bounds = recorder.rounded.get(tensor), { made } = tensor;
  if (bounds) return { levels: tensor, bounds, scales: [] };
  const [a, b] = made?.inputs ?? [];
  switch (made?.op) {
    case "Reshape":
    case "PadV2": {
      const found = levelsOf(recorder, a!);
      // zeros around integers are integers; a scale for each channel must still meet its channel
      if (found === null || (made.op === "PadV2" && found.scales.length > 0)) return null;
      const [levels] = recorder.record(made.op, made.attributes, {
        inputs: [found.levels, ...made.inputs.slice(1)],
        outputs: 1,
      });
      return { ...found, levels: levels! };
    }
    case "Sub": {
      // a zero point, which every quantizer rounds and keeps within its bounds
      const integers = recorder.rounded.get(a!);
      if (!integers) return null;
      const reach = integers.high - integers.low;
      return { levels: tensor, bounds: { low: -reach, high: reach }, scales: [] };
    }
    case "Mul": {
      const shape = recorder.shapeOf(tensor), channels = shape.at(-1)!;
      for (const [values, scale] of [[a!, b!], [b!, a!]] as const) {
        const of = recorder.shapeOf(scale), size = sizeOf(of);
        if (
          sizeOf(recorder.shapeOf(values)) !== sizeOf(shape) ||
          !(size === 1 || (size === channels && of.at(-1) === size))
        ) continue;
        const found = levelsOf(recorder, values);
        if (found) return { ...found, scales: [...found.scales, scale] };
      }
      return null;
    }
    default:
      return null;
  }
}

function largest({ low, high }: RoundBounds): number {
  return Math.max(-low, high);
}

const FLOAT: OpAttribute = { name: "T", type: ATTR.type, value: DTYPE.float32 };

/** The op in the form above; null: it is recorded as it is. */
export function inTf32(recorder: Recorder, op: Op): GraphOutput | null {
  const isDepthwise = op.op === "DepthwiseConv2dNative";
  if (op.op === "BatchMatMulV2") return recorder.options.xla ? float32MatMul(recorder, op) : null;
  if (op.op !== "Conv2D" && !isDepthwise) return null;
  const [x, filter] = op.inputs as [GraphOutput, GraphOutput];
  const { options } = recorder,
    input = levelsOf(recorder, x),
    weight = levelsOf(recorder, filter),
    shape = recorder.shapeOf(filter);
  if (!input && !weight) return null;
  const terms = isDepthwise ? shape[0]! * shape[1]! : sizeOf(shape.slice(0, 3));
  if (input && weight && input.scales.length === 0) {
    const [q, w] = [largest(input.bounds), largest(weight.bounds)];
    if (Math.max(q, w) <= LARGEST.operand && terms * q * w < LARGEST.sum) {
      const [sums] = recorder.record(op.op, op.attributes, { inputs: [input.levels, weight.levels], outputs: 1 });
      const multiply = (a: GraphOutput, b: GraphOutput) =>
        recorder.record("Mul", [FLOAT], { inputs: [a, b], outputs: 1 })[0]!;
      return weight.scales.length === 0 ? sums! : multiply(sums!, weight.scales.reduce(multiply));
    }
  }
  options.float32?.(layerOf(filter));
  return options.xla ? float32Convolution(recorder, op, isDepthwise) : null;
}

/** The path of the layer whose weight a filter is made of. */
function layerOf({ path = "", made }: GraphOutput): string {
  const found = /^(?:.*params\/)?(.+)\/weight$/.exec(path)?.[1];
  return found ?? (made?.inputs ?? []).map(layerOf).find((layer) => layer !== "") ?? "";
}

/** A protocol buffer: fields of small integers. */
function protocolBuffer(fields: readonly (readonly [number, number])[]): string {
  return String.fromCharCode(...fields.flatMap(([field, value]) => [field << 3, value]));
}

/** PrecisionConfig: field 1 operand_precision, HIGHEST = 2, for both operands. */
const HIGHEST = protocolBuffer([[1, 2], [1, 2]]);

function xlaAttributes(dimensions: string): OpAttribute[] {
  return [
    ...["LhsT", "RhsT", "preferred_element_type"].map((name) => ({ name, type: ATTR.type, value: DTYPE.float32 })),
    { name: "dimension_numbers", type: ATTR.string, value: dimensions },
    { name: "precision_config", type: ATTR.string, value: HIGHEST },
  ];
}

/** XLA's op keeps no static shape that tfjs could see: state it. */
function ofShape(recorder: Recorder, output: GraphOutput, shape: readonly number[]): GraphOutput {
  const attributes = [FLOAT, { name: "shape", type: ATTR.shape, value: shape }];
  return recorder.record("EnsureShape", attributes, { inputs: [output], outputs: 1 })[0]!;
}

/** ConvolutionDimensionNumbers of images [n, h, w, c] and filters [h, w, in, out]. */
const IMAGES = protocolBuffer([
  ...[[7, 0], [8, 3], [11, 1], [11, 2]] as const, // input: batch, feature, spatial
  ...[[3, 2], [4, 3], [6, 0], [6, 1]] as const, // kernel: input feature, output feature, spatial
  ...[[9, 0], [10, 3], [12, 1], [12, 2]] as const, // output: batch, feature, spatial
]);

function float32Convolution(
  recorder: Recorder,
  { attributes, inputs: [x, filter] }: Op,
  isDepthwise: boolean,
): GraphOutput {
  const of = (name: string) => attributes.find((attribute) => attribute.name === name)!.value;
  const [, height, width, channels] = recorder.shapeOf(x!) as [number, number, number, number];
  const [rows, columns, , last] = recorder.shapeOf(filter!) as [number, number, number, number];
  const strides = (of("strides") as number[]).slice(1, 3), same = of("padding") === "SAME";
  const sides = [[height, rows], [width, columns]].map(([size, taps], i) => {
    const stride = strides[i]!, windows = same ? Math.ceil(size! / stride) : Math.floor((size! - taps!) / stride) + 1;
    const total = same ? Math.max(0, (windows - 1) * stride + taps! - size!) : 0;
    return { windows, padding: [Math.floor(total / 2), Math.ceil(total / 2)] };
  });
  const ints = (values: readonly number[], shape: readonly number[] = [values.length]) =>
    recorder.constant(values, shape);
  const kernel = isDepthwise
    ? recorder.record("Reshape", [FLOAT, { name: "Tshape", type: ATTR.type, value: DTYPE.int32 }], {
      inputs: [filter!, ints([rows, columns, 1, channels * last])],
      outputs: 1,
    })[0]!
    : filter!;
  const [y] = recorder.record("XlaConvV2", [
    ...xlaAttributes(IMAGES),
    { name: "Tindices", type: ATTR.type, value: DTYPE.int32 },
    { name: "batch_group_count", type: ATTR.int, value: 1 },
  ], {
    inputs: [
      x!,
      kernel,
      ints(strides),
      ints(sides.flatMap(({ padding }) => padding), [2, 2]),
      ints([1, 1]),
      ints([1, 1]),
      ints([isDepthwise ? channels : 1], []),
    ],
    outputs: 1,
  });
  const batch = recorder.shapeOf(x!)[0]!, channelsOut = isDepthwise ? channels * last : last;
  return ofShape(recorder, y!, [batch, ...sides.map(({ windows }) => windows), channelsOut]);
}

/** Products of matrices [..., m, k] and [..., k, n], one side turned where an attribute says so; null: batches differ. */
function float32MatMul(recorder: Recorder, { attributes, inputs: [a, b] }: Op): GraphOutput | null {
  const of = (name: string) => attributes.find((attribute) => attribute.name === name)!.value as boolean;
  const [left, right] = [recorder.shapeOf(a!), recorder.shapeOf(b!)], rank = left.length, batch = left.slice(0, -2);
  if (String(batch) !== String(right.slice(0, -2))) return null;
  const inner = { left: of("adj_x") ? rank - 2 : rank - 1, right: of("adj_y") ? rank - 1 : rank - 2 };
  // DotDimensionNumbers: contracting 1 and 2, batch 3 and 4
  const dimensions = protocolBuffer([
    [1, inner.left],
    [2, inner.right],
    ...batch.flatMap((_, i) => [[3, i], [4, i]] as const),
  ]);
  const [y] = recorder.record("XlaDotV2", xlaAttributes(dimensions), { inputs: [a!, b!], outputs: 1 });
  const other = (shape: readonly number[], at: number) => shape[2 * rank - 3 - at]!;
  return ofShape(recorder, y!, [...batch, other(left, inner.left), other(right, inner.right)]);
}
