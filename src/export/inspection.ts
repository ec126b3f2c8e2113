/** The integers of an ONNX file, whoever made it: bits, symmetry, granularity, levels and bytes, layer by layer. */
import { type GraphProto, type NodeProto, type TensorProto, TensorProto_DataType as DataType } from "onnx-buf";
import type { Values } from "./runtime/onnx_session.ts";

/** Quantization of one operand of a layer. */
export interface OperandInspection {
  /** Bits of the range: of an input its Clip's, else its type's; of a weight that of the integers in use, as `levels`. */
  readonly bits: number;
  /** True: every zero point is 0 or in the middle of the range, and no offset is added. */
  readonly symmetric: boolean;
  readonly granularity: "tensor" | "channel";
}

/** A weight's integers. */
export interface WeightInspection extends OperandInspection {
  /** Different integers that are used: of a convolution with a scale for each output channel, by the channel with most. */
  readonly levels: number;
  readonly count: number;
  /** In the file. */
  readonly bytes: number;
}

/** One convolution or matrix product; null: that operand is float. */
export interface LayerInspection {
  readonly name: string;
  readonly input: OperandInspection | null;
  readonly weight: WeightInspection | null;
  /** Numbers of the weight, in integers or not. */
  readonly weightShape: readonly number[];
}

/** Places of input, its zero point, weight and weight's zero point among the inputs of the integer operators. */
const INTEGER_OPERATORS: Readonly<Record<string, readonly [number, number, number, number]>> = {
  QLinearConv: [0, 2, 3, 5],
  QLinearMatMul: [0, 2, 3, 5],
  ConvInteger: [0, 2, 1, 3],
  MatMulInteger: [0, 2, 1, 3],
};

const FLOAT_OPERATORS = ["Conv", "Gemm", "MatMul"];

/** True for an operator that multiplies by a weight. */
export function isProduct({ opType }: NodeProto): boolean {
  return FLOAT_OPERATORS.includes(opType) || opType in INTEGER_OPERATORS;
}

/** Operators that move numbers and change none. */
const MOVES = ["Identity", "Transpose", "Reshape", "Flatten", "Unsqueeze", "Squeeze", "MaxPool", "Cast"];

/** Looks into one graph. */
export class Inspection {
  readonly #producers = new Map<string, NodeProto>();
  readonly #constants = new Map<string, TensorProto>();
  readonly #computed: Readonly<Record<string, Values>>;
  readonly #graph: GraphProto;

  /** @param computed Tensors of `computedWeights`, as ONNX Runtime gives them. */
  constructor(graph: GraphProto, computed: Readonly<Record<string, Values>> = {}) {
    this.#graph = graph;
    this.#computed = computed;
    for (const tensor of graph.initializer) this.#constants.set(tensor.name, tensor);
    for (const node of graph.node) {
      for (const output of node.output) this.#producers.set(output, node);
      const value = node.opType === "Constant" ? node.attribute.find(({ name }) => name === "value")?.t : undefined;
      if (value) this.#constants.set(node.output[0]!, value);
    }
  }

  /** The integers of weights that the graph itself rounds, as PyTorch's files do. */
  get computedWeights(): string[] {
    return this.#graph.node.filter(isProduct).flatMap((node) => {
      const dequantize = this.#producers.get(this.#origin(node.input[1] ?? ""));
      const name = dequantize?.opType === "DequantizeLinear" ? this.#origin(dequantize.input[0]!) : null;
      return name !== null && !this.#constants.has(name) && this.#isConstant(name) ? [name] : [];
    });
  }

  /** The products whose weight is a constant, in the order of the file. */
  get layers(): LayerInspection[] {
    return this.#graph.node.filter(isProduct).flatMap((node) => {
      const [input, inputZero, weight, weightZero] = INTEGER_OPERATORS[node.opType] ?? [0, -1, 1, -1];
      const integer = node.opType in INTEGER_OPERATORS;
      const source = (at: number, zero: number) =>
        integer ? this.#integers(node.input[at]!, node.input[zero]) : this.#dequantized(node.input[at]!);
      const own = source(weight, weightZero), given = source(input, inputZero);
      const shape = own?.shape ?? this.#constant(node.input[weight]!)?.dims.map(Number);
      if (!shape) return []; // a product of two activations is no layer
      return [{
        name: node.name || node.output[0]!,
        input: given &&
          { bits: bitsOf(...given.bounds), symmetric: isSymmetric(given), granularity: given.granularity },
        weight: own && weightOf(integer ? { ...own, granularity: this.#granularity(node, own) } : own),
        weightShape: shape,
      }];
    });
  }

  /** Counts the scales of an integer product's weight: its own, else those that its sums are multiplied by. */
  #granularity(node: NodeProto, { granularity }: Source): "tensor" | "channel" {
    const own = node.opType.startsWith("QLinear") ? node.input[4] : undefined;
    const cast = this.#graph.node.find(({ input }) => input[0] === node.output[0]);
    const product = this.#graph.node.find(({ opType, input }) => opType === "Mul" && input[0] === cast?.output[0]);
    const scale = this.#constant(own ?? product?.input[1] ?? "");
    return scale ? sizeOf(scale) > 1 ? "channel" : "tensor" : granularity;
  }

  /** The name of what a tensor is moved from. */
  #origin(name: string): string {
    const node = this.#producers.get(name);
    return node && MOVES.includes(node.opType) ? this.#origin(node.input[0]!) : name;
  }

  #constant(name: string): TensorProto | undefined {
    return this.#constants.get(this.#origin(name));
  }

  /** True for a tensor that depends on constants alone. */
  #isConstant(name: string): boolean {
    if (this.#constants.has(name) || name === "") return true;
    return this.#producers.get(name)?.input.every((input) => this.#isConstant(input)) ?? false;
  }

  /** Finds the integers that are dequantized to a tensor; null: it is float. */
  #dequantized(name: string): Source | null {
    const node = this.#producers.get(this.#origin(name));
    if (node?.opType === "Add" || node?.opType === "Sub") {
      const source = this.#constant(node.input[1]!) ? this.#dequantized(node.input[0]!) : null;
      return source && { ...source, zeros: null };
    }
    if (node?.opType !== "DequantizeLinear") return null;
    const source = this.#integers(node.input[0]!, node.input[2]),
      axis = node.attribute.find(({ name }) => name === "axis");
    if (!source) return null;
    const scale = this.#constant(node.input[1]!), several = scale ? sizeOf(scale) > 1 : axis !== undefined;
    return { ...source, granularity: several ? "channel" : "tensor" };
  }

  /** The integers under a name, where they are a constant or come out of QuantizeLinear, cut by a Clip or not. */
  #integers(name: string, zeroName = ""): Source | null {
    const origin = this.#origin(name), tensor = this.#constants.get(origin), node = this.#producers.get(origin);
    const computed = this.#computed[origin], zero = this.#constant(zeroName), zeros = zero ? numbersOf(zero) : [0];
    const granularity = zeros.length > 1 ? "channel" : "tensor";
    if (tensor && rangeOf(tensor.dataType)) {
      const bounds = rangeOf(tensor.dataType)!, shape = tensor.dims.map(Number);
      return { shape, integers: numbersOf(tensor), bytes: tensor.rawData.length, bounds, zeros, granularity };
    }
    const typed = this.#constant(node?.input[node.opType === "QLinearConv" ? 7 : 2] ?? "");
    if (computed) {
      const bounds = rangeOf(zero?.dataType ?? DataType.UINT8) ?? [0, 255],
        integers = Array.from(computed.data, Number);
      return { shape: computed.dims, integers, bytes: computed.data.byteLength, bounds, zeros, granularity };
    }
    if (node?.opType === "Clip") {
      const source = this.#integers(node.input[0]!, zeroName);
      const [low, high] = [1, 2].map((i) => this.#constant(node.input[i] ?? ""));
      if (!source) return null;
      const bounds: Bounds = [
        low ? Math.max(numbersOf(low)[0]!, source.bounds[0]) : source.bounds[0],
        high ? Math.min(numbersOf(high)[0]!, source.bounds[1]) : source.bounds[1],
      ];
      return { ...source, bounds };
    }
    const range = rangeOf(typed?.dataType ?? DataType.UINT8);
    if ((node?.opType !== "QuantizeLinear" && node?.opType !== "QLinearConv") || !range) return null;
    return { shape: null, integers: null, bytes: 0, bounds: range, zeros, granularity };
  }
}

type Bounds = readonly [number, number];

interface Source {
  /** Shape of a weight; null: an activation. */
  readonly shape: readonly number[] | null;
  readonly integers: readonly number[] | null;
  readonly bytes: number;
  readonly bounds: Bounds;
  /** Zero points; null: an offset that is no integer is added. */
  readonly zeros: readonly number[] | null;
  readonly granularity: "tensor" | "channel";
}

/** True where 0 stands for 0 or for the middle of the range, as 128 does in bytes. */
function isSymmetric({ zeros, bounds: [low, high] }: Pick<Source, "zeros" | "bounds">): boolean {
  return zeros?.every((zero) => zero === 0 || zero === Math.ceil((low + high) / 2)) ?? false;
}

function weightOf({ integers, bytes, granularity, shape, ...source }: Source): WeightInspection | null {
  if (!integers) return null;
  // zero points that were taken off move a channel's levels as a whole
  const channels = granularity === "channel" && shape!.length > 2 ? shape![0]! : 1, size = integers.length / channels;
  const used = Array.from({ length: channels }, (_, c) => {
    const levels = [...new Set(integers.slice(c * size, (c + 1) * size))].sort((a, b) => a - b);
    // DoReFa's weights are odd integers, as 0 is none of their levels: steps of 2 count as one
    const step = levels.slice(1).reduce((common, level) => divisor(level - levels[0]!, common), 0) || 1;
    return { levels: levels.length, bits: bitsOf(levels[0]! / step, levels.at(-1)! / step) };
  });
  return {
    bits: Math.max(...used.map(({ bits }) => bits)),
    symmetric: isSymmetric(source),
    granularity,
    levels: Math.max(...used.map(({ levels }) => levels)),
    count: integers.length,
    bytes: bytes || integers.length, // a file may hold them in a field of wider numbers
  };
}

function divisor(a: number, b: number): number {
  return b === 0 ? a : divisor(b, a % b);
}

/** Bits of a range: 2 for -2 .. 1, for 0 .. 3 and for -1 .. 1. */
function bitsOf(low: number, high: number): number {
  return Math.max(1, Math.ceil(Math.log2(high - low + 1)));
}

/** The range of an integer type; null: it is none. */
function rangeOf(type: number): Bounds | null {
  const ranges: Partial<Record<number, Bounds>> = {
    [DataType.INT4]: [-8, 7],
    [DataType.UINT4]: [0, 15],
    [DataType.INT8]: [-128, 127],
    [DataType.UINT8]: [0, 255],
    [DataType.INT16]: [-32768, 32767],
    [DataType.UINT16]: [0, 65535],
  };
  return ranges[type] ?? null;
}

function sizeOf({ dims }: TensorProto): number {
  return dims.reduce((product, dim) => product * Number(dim), 1);
}

/** The values of a constant, whichever of ONNX's fields holds them. */
export function numbersOf(tensor: TensorProto): number[] {
  const { dataType, rawData, floatData, int32Data } = tensor, size = sizeOf(tensor);
  if (rawData.length === 0) {
    const values = dataType === DataType.FLOAT ? floatData : int32Data;
    if (dataType !== DataType.INT4 && dataType !== DataType.UINT4) return [...values];
    return unpacked(Uint8Array.from(values), { size, signed: dataType === DataType.INT4 });
  }
  const bytes = rawData.slice(), { buffer } = bytes;
  switch (dataType) {
    case DataType.FLOAT:
      return [...new Float32Array(buffer)];
    case DataType.INT8:
      return [...new Int8Array(buffer)];
    case DataType.UINT8:
      return [...bytes];
    case DataType.INT16:
      return [...new Int16Array(buffer)];
    case DataType.UINT16:
      return [...new Uint16Array(buffer)];
    case DataType.INT32:
      return [...new Int32Array(buffer)];
    case DataType.INT64:
      return [...new BigInt64Array(buffer)].map(Number);
    default:
      return unpacked(bytes, { size, signed: dataType === DataType.INT4 });
  }
}

function unpacked(bytes: Uint8Array, { size, signed }: { size: number; signed: boolean }): number[] {
  return Array.from({ length: size }, (_, i) => {
    const half = (bytes[i >> 1]! >> (4 * (i & 1))) & 15;
    return signed && half > 7 ? half - 16 : half;
  });
}
