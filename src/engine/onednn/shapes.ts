/** Shapes and dtypes of what kernels give. */
import * as tf from "@tensorflow/tfjs-core";
import type { DataType, NamedAttrMap } from "@tensorflow/tfjs-core";
import { type AxisPooling, pooledLength } from "../ops.ts";
import type { Use } from "./graph.ts";

interface Output {
  readonly shape: number[];
  readonly dtype: DataType;
}

type Uses = Readonly<Record<string, Use>>;

/** Binary kernels by what they give, in a JavaScript expression of a and b. */
export const BINARY: Readonly<Record<string, string>> = {
  Add: "a + b",
  Sub: "a - b",
  Multiply: "a * b",
  RealDiv: "a / b",
  Maximum: "Math.max(a, b)",
  Minimum: "Math.min(a, b)",
  SquaredDifference: "(a - b) * (a - b)",
};

export const COMPARISONS: Readonly<Record<string, string>> = {
  Greater: "a > b",
  GreaterEqual: "a >= b",
  Less: "a < b",
  LessEqual: "a <= b",
  Equal: "a === b",
  NotEqual: "a !== b",
  LogicalAnd: "a && b",
  LogicalOr: "a || b",
};

/** Unary kernels by what they give, in a JavaScript expression of x. */
export const UNARY: Readonly<Record<string, string>> = {
  Neg: "-x",
  Abs: "Math.abs(x)",
  Square: "x * x",
  Sqrt: "Math.sqrt(x)",
  Rsqrt: "1 / Math.sqrt(x)",
  Reciprocal: "1 / x",
  Exp: "Math.exp(x)",
  Log: "Math.log(x)",
  Floor: "Math.floor(x)",
  Tanh: "Math.tanh(x)",
  Sign: "Math.sign(x)",
  ZerosLike: "0",
  OnesLike: "1",
  Relu: "(x < 0 ? 0 : x)",
  Relu6: "(x < 0 ? 0 : x > 6 ? 6 : x)",
};

export const REDUCTIONS: ReadonlySet<string> = new Set(["Sum", "Mean", "Max", "Min"]);

/** Axes of a reduction, not negative, ascending. */
export function axesOf(attrs: NamedAttrMap, rank: number): number[] {
  const given = attrs["axis"] ?? attrs["reductionIndices"];
  return tf.util.parseAxisParam((given ?? null) as unknown as number[], new Array<number>(rank).fill(1)).sort((a, b) =>
    a - b
  );
}

function reduced(x: Use, attrs: NamedAttrMap): number[] {
  const axes = axesOf(attrs, x.shape.length);
  return x.shape.flatMap((size, axis) => axes.includes(axis) ? (attrs["keepDims"] ? [1] : []) : [size]);
}

/** Null: not known here. */
export function shapesOf(kernel: string, uses: Uses, attrs: NamedAttrMap): Output[] | null {
  const { x, a, b, dy } = uses;
  const dtypeOf = (use: Use) => use.value.type as DataType;
  const same = (use: Use, dtype = dtypeOf(use)): Output[] => [{ shape: [...use.shape], dtype }];
  if (kernel in BINARY || kernel in COMPARISONS) {
    const shape = tf.broadcast_util.assertAndGetBroadcastShape([...a!.shape], [...b!.shape]);
    return [{ shape, dtype: kernel in COMPARISONS ? "bool" : dtypeOf(a!) }];
  }
  if (kernel in UNARY) return dtypeOf(x!) === "float32" ? same(x!) : null;
  if (REDUCTIONS.has(kernel)) {
    return dtypeOf(x!) === "float32" ? [{ shape: reduced(x!, attrs), dtype: "float32" }] : null;
  }
  switch (kernel) {
    case "Cast":
      return same(x!, attrs["dtype"] as DataType);
    case "Select":
      return uses["condition"]!.shape.length === uses["t"]!.shape.length ? same(uses["t"]!) : null;
    case "RoundClip":
    case "UniformPerturbation":
      return same(x!);
    case "CropFlip":
      return same(x!);
    case "RoundClipGrad":
    case "ReluGrad":
    case "Relu6Grad":
      return same(dy!);
    case "BatchNormTraining": {
      const vector: Output = { shape: [x!.shape.at(-1)!], dtype: "float32" };
      return [...same(x!), vector, vector, vector, vector, { shape: [1], dtype: "float32" }];
    }
    case "BatchNormTrainingGrad": {
      const vector: Output = { shape: [x!.shape.at(-1)!], dtype: "float32" };
      return [...same(x!), vector, vector];
    }
    case "LogDetInverse": {
      const { shape } = uses["a"]!;
      return [{ shape: [shape[0]!], dtype: "float32" }, { shape: [...shape], dtype: "float32" }];
    }
    case "MaxPoolAxis": {
      const pooling = attrs as unknown as AxisPooling, { axis } = pooling;
      const y: Output = { shape: x!.shape.with(axis, pooledLength(x!.shape[axis]!, pooling)), dtype: "float32" };
      return [y, y];
    }
    case "MaxPoolAxisGrad":
      return [{ shape: dy!.shape.with(attrs["axis"] as number, attrs["length"] as number), dtype: "float32" }];
    case "Conv2D":
    case "DepthwiseConv2dNative": {
      const info = convolutionInfo(x!.shape, uses["filter"]!.shape, { kernel, attrs });
      return [{ shape: info.outShape, dtype: "float32" }];
    }
    case "Conv2DBackpropInput":
    case "DepthwiseConv2dNativeBackpropInput":
      return [{ shape: attrs["inputShape"] as number[], dtype: "float32" }];
    case "Conv2DBackpropFilter":
    case "DepthwiseConv2dNativeBackpropFilter":
      return [{ shape: attrs["filterShape"] as number[], dtype: "float32" }];
    case "BatchMatMul": {
      const rows = a!.shape.at(attrs["transposeA"] ? -1 : -2)!, columns = b!.shape.at(attrs["transposeB"] ? -2 : -1)!;
      const batch = tf.broadcast_util.assertAndGetBroadcastShape(a!.shape.slice(0, -2), b!.shape.slice(0, -2));
      return [{ shape: [...batch, rows, columns], dtype: "float32" }];
    }
    case "PadV2": {
      const pads = attrs["paddings"] as unknown as [number, number][];
      return [{ shape: x!.shape.map((size, i) => size + pads[i]![0] + pads[i]![1]), dtype: dtypeOf(x!) }];
    }
    case "Slice": {
      // one number or fewer than there are axes stand for all
      const given = { shape: [...x!.shape] } as tf.Tensor;
      const [, shape] = tf.slice_util.parseSliceParams(given, attrs["begin"] as number[], attrs["size"] as number[]);
      return [{ shape: shape!, dtype: dtypeOf(x!) }];
    }
  }
  return null;
}

/** Geometry of a convolution by tfjs's attributes. */
export function convolutionInfo(
  image: readonly number[],
  filter: readonly number[],
  { kernel, attrs }: { kernel: string; attrs: NamedAttrMap },
) {
  return tf.backend_util.computeConv2DInfo(
    image as [number, number, number, number],
    filter as [number, number, number, number],
    attrs["strides"] as number,
    (attrs["dilations"] ?? 1) as number,
    attrs["pad"] as "same",
    attrs["dimRoundingMode"] as unknown as undefined,
    kernel.startsWith("Depthwise"),
  );
}
