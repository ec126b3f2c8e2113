/**
 * A network as an ONNX file whose integers stand in QuantizeLinear, Clip and DequantizeLinear (QDQ).
 *
 *   input x of a layer:  q = Clip(QuantizeLinear(x, s, z), low, high),  x̂ = DequantizeLinear(q, s, z)
 *   weight:              ŵ = DequantizeLinear(integers, s · a, z), a number an output channel
 *   layer:               Conv(x̂, ŵ) + b, where a · y + b is the batch norm behind it
 *
 * The batch norm's a multiplies the step size and so never touches an integer; where its gamma is below 0, so is that scale.
 * A zero that is no integer becomes an Add: of LSQ+'s offset behind the input, of half a step behind DoReFa's weight.
 * Difference: QuantizeLinear rounds a tie to even and divides by s, the engines round it up and multiply by 1 / s.
 */
import { TensorProto_DataType as DataType } from "onnx-buf";
import type { Layer } from "../nn/types.ts";
import type { Grid } from "../quant/types.ts";
import type { ExportedNetwork, LayerIntegers, LayerWeight } from "./network.ts";
import { OnnxModel } from "./onnx_model.ts";
import type { Padding, Step } from "./steps.ts";

/** Names of the graph's input and output. */
export const INPUT = "images", OUTPUT = "logits";

/** Name of the tensor that holds the integers of a layer's input. */
export function inputIntegers(path: string): string {
  return `${path}/input_integers`;
}

/** Options of a file. */
export interface FileOptions {
  /** Text by name that the file carries. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Store weights of at most 4 bits as INT4 and UINT4. */
  readonly packed?: boolean;
}

/** The file of a network; its input is bytes [n, channels, height, width], its output logits [n, classes]. */
export function quantizeDequantizeFile(network: ExportedNetwork, options: FileOptions): Uint8Array<ArrayBuffer> {
  const model = new OnnxModel(), names: string[] = [], last = network.steps.length - 1;
  network.steps.forEach((step, index) => {
    const inputs = step.inputs.map((input) => names[input]!);
    const output = outputName(step, { index, last });
    names.push(
      step.kind === "layer"
        ? writeLayer(model, step, { input: inputs[0]!, output, weight: network.weights[step.layer.path]!, ...options })
        : writeStep(model, step, { inputs, output }),
    );
  });
  return model.encode({ ...portsOf(network), metadata: options.metadata });
}

/** The input and output of every form of a network. */
export function portsOf({ imageShape: [height, width, channels], classes }: ExportedNetwork) {
  return {
    input: { name: INPUT, type: DataType.UINT8, shape: ["n", channels, height, width] },
    output: { name: OUTPUT, type: DataType.FLOAT, shape: ["n", classes] },
  };
}

/** A step without a weight. */
export function writeStep(
  model: OnnxModel,
  step: Exclude<Step, { kind: "layer" }>,
  { inputs, output }: { inputs: readonly string[]; output: string },
): string {
  switch (step.kind) {
    case "images":
      return model.node("Cast", [INPUT], { output, attributes: { to: DataType.FLOAT } });
    case "add":
      return model.node("Add", inputs, { output });
    case "relu":
      return model.node("Relu", inputs, { output });
    case "relu6": {
      const bounds = [0, 6].map((bound) => model.constant(`relu6/${bound}`, Float32Array.of(bound), []));
      return model.node("Clip", [...inputs, ...bounds], { output });
    }
    case "maxPool": {
      const { axis, size, stride, padding } = step;
      const along = (of: number, otherwise: number) => axis === 1 ? [of, otherwise] : [otherwise, of];
      const pads = along(padding, 0);
      return model.node("MaxPool", inputs, {
        output,
        attributes: { kernel_shape: along(size, 1), strides: along(stride, 1), pads: [...pads, ...pads] },
      });
    }
    case "mean": {
      const axes = model.constant("mean/axes", BigInt64Array.of(2n, 3n), [2]);
      return model.node("ReduceMean", [...inputs, axes], { output, attributes: { keepdims: 0 } });
    }
    case "affine": {
      let result = inputs[0]!;
      for (const [part, operator] of [["scale", "Mul"], ["shift", "Add"]] as const) {
        const values = step[part];
        if (!values) continue;
        const shape = step.shape.length === 4 && values.length > 1 ? [values.length, 1, 1] : [values.length];
        const own = model.constant(`${output}/${part}`, Float32Array.from(values), shape);
        const name = part === "scale" && step.shift ? `${output}/scaled` : output;
        result = model.node(operator, [result, own], { output: name });
      }
      return result;
    }
  }
}

/** A step of a layer that computes with weights. */
export type LayerStep = Extract<Step, { kind: "layer" }>;

/** Name of what a step gives; the last one gives the logits. */
export function outputName(step: Step, { index, last }: { readonly index: number; readonly last: number }): string {
  if (index === last) return OUTPUT;
  return step.kind === "layer" ? `${step.layer.path}/output` : `${step.kind}${index}`;
}

function writeLayer(
  model: OnnxModel,
  step: LayerStep,
  options: { input: string; output: string; weight: LayerWeight; packed?: boolean },
): string {
  const { layer } = step, { integers } = options.weight;
  const input = integers
    ? quantizedInput(model, layer, { input: options.input, grid: integers.inputGrid })
    : options.input;
  const weight = integers
    ? dequantizedWeight(model, step, { integers, shape: options.weight.shape, packed: options.packed ?? false })
    : model.constant(`${layer.path}/weight`, scaledWeight(step, options.weight), options.weight.shape);
  return writeProduct(model, step, { input, weight, output: options.output });
}

/**
 * Conv or Gemm, and the bias behind it as an Add of its own.
 *
 * As an input of Conv the bias would not stay what it is: before a QuantizeLinear, ONNX Runtime rounds it to multiples of
 * s · scale (its WeightBiasQuantization, microsoft/onnxruntime#22889), which at 2 bits moves integers.
 */
export function writeProduct(
  model: OnnxModel,
  { layer, padding, shift }: LayerStep,
  { input, weight, output }: { input: string; weight: string; output: string },
): string {
  const dense = layer.kind === "dense", { path: name } = layer;
  const attributes = dense ? { transB: 1 } : convolutionAttributes(layer, padding);
  const product = model.node(dense ? "Gemm" : "Conv", [input, weight], {
    output: shift ? `${layer.path}/product` : output,
    name,
    attributes,
  });
  if (!shift) return product;
  const shape = dense ? [layer.outChannels] : [layer.outChannels, 1, 1];
  const bias = model.constant(`${layer.path}/bias`, filled(shift, layer.outChannels), shape);
  return model.node("Add", [product, bias], { output });
}

/** Attributes of Conv and its integer forms. */
export function convolutionAttributes(layer: Layer, { top, left, bottom, right }: Padding) {
  const { kernelSize: k, stride } = layer;
  return {
    kernel_shape: [k, k],
    strides: [stride, stride],
    pads: [top, left, bottom, right],
    group: layer.kind === "depthwise" ? layer.inChannels : 1,
  };
}

/** A list of one number, or of one a channel, as one a channel. */
export function filled(values: readonly number[], channels: number): Float32Array {
  return Float32Array.from({ length: channels }, (_, i) => values[i % values.length]!);
}

/** A full-precision weight times what follows the layer. */
function scaledWeight({ layer, scale }: LayerStep, { values }: LayerWeight): Float32Array {
  if (!scale) return values;
  const factors = filled(scale, layer.outChannels), size = values.length / layer.outChannels;
  return values.map((value, i) => value * factors[Math.floor(i / size)]!);
}

/** Integers of 8 bits, signed or not. */
function bytesOf(values: ArrayLike<number>, signed: boolean): Int8Array | Uint8Array {
  return signed ? Int8Array.from(values) : Uint8Array.from(values);
}

function quantizedInput(
  model: OnnxModel,
  { path }: Layer,
  { input, grid: { low, high, scale: [step], zero: [zero] } }: { input: string; grid: Grid },
): string {
  const signed = low < 0, whole = Number.isInteger(zero!);
  const offset = whole ? null : model.constant(`${path}/input_offset`, Float32Array.of(-zero! * step!), []);
  const shifted = offset ? model.node("Sub", [input, offset], { output: `${path}/input_shifted` }) : input;
  const grid = [
    model.constant(`${path}/input_scale`, Float32Array.of(step!), []),
    model.constant(`${path}/input_zero_point`, bytesOf([whole ? zero! : 0], signed), []),
  ];
  const full = signed ? low === -128 && high === 127 : high === 255, integers = inputIntegers(path);
  const rounded = model.node("QuantizeLinear", [shifted, ...grid], {
    output: full ? integers : `${path}/input_rounded`,
  });
  if (!full) {
    const bounds = [low, high].map((bound) => model.constant(`input_bound_${bound}`, bytesOf([bound], signed), []));
    model.node("Clip", [rounded, ...bounds], { output: integers });
  }
  const restored = model.node("DequantizeLinear", [integers, ...grid], {
    output: offset ? `${path}/input_unshifted` : `${path}/input`,
  });
  return offset ? model.node("Add", [restored, offset], { output: `${path}/input` }) : restored;
}

/** Weights as an ONNX file holds them: ŵ = (integers - zeroPoint) · scale + offset. */
export interface StoredWeight {
  readonly integers: Int8Array | Uint8Array;
  /** One number an output channel. */
  readonly zeroPoint: Int8Array | Uint8Array;
  readonly scale: readonly number[];
  /** Null: 0. */
  readonly offset: readonly number[] | null;
}

/**
 * Integers of 8 bits for a grid.
 *
 * A zero halfway between two integers is no zero point. Then 2 q - 2 z is stored, with half the step, where it fits.
 */
export function storedWeight(
  { weight, weightGrid }: LayerIntegers,
  { channels, packed }: { channels: number; packed: boolean },
): StoredWeight {
  const { low, high } = weightGrid, size = weight.length / channels;
  const zero = filled(weightGrid.zero, channels), scale = filled(weightGrid.scale, channels);
  if (zero.every(Number.isInteger)) {
    const signed = low < 0;
    return { integers: bytesOf(weight, signed), zeroPoint: bytesOf(zero, signed), scale: [...scale], offset: null };
  }
  const reach = Math.max(...zero.map((value) => 2 * Math.max(high - value, value - low)));
  if (reach <= (packed && high - low < 16 ? 7 : 127) && zero.every((value) => Number.isInteger(2 * value))) {
    const doubled = weight.map((value, i) => 2 * value - 2 * zero[Math.floor(i / size)]!);
    const zeroPoint = new Int8Array(channels);
    return { integers: Int8Array.from(doubled), zeroPoint, scale: [...scale].map((s) => s / 2), offset: null };
  }
  const nearest = zero.map((value) => Math.min(Math.max(Math.round(value), 0), 255));
  return {
    integers: Uint8Array.from(weight),
    zeroPoint: Uint8Array.from(nearest),
    scale: [...scale],
    offset: [...zero].map((value, i) => (nearest[i]! - value) * scale[i]!),
  };
}

export function dequantizedWeight(
  model: OnnxModel,
  { layer: { path, outChannels }, scale }: LayerStep,
  { integers, shape, packed }: { integers: LayerIntegers; shape: readonly number[]; packed: boolean },
): string {
  const stored = storedWeight(integers, { channels: outChannels, packed }), factors = filled(scale ?? [1], outChannels);
  const name = `${path}/weight_integers`, zeroName = `${path}/weight_zero_point`, channels = [outChannels];
  const small = packed && fitsFourBits(stored.integers) && fitsFourBits(stored.zeroPoint);
  const weight = small ? model.packed(name, stored.integers, shape) : model.constant(name, stored.integers, shape);
  const scales = Float32Array.from(stored.scale, (value, i) => value * factors[i]!);
  const restored = model.node("DequantizeLinear", [
    weight,
    model.constant(`${path}/weight_scale`, scales, channels),
    small ? model.packed(zeroName, stored.zeroPoint, channels) : model.constant(zeroName, stored.zeroPoint, channels),
  ], { output: stored.offset ? `${path}/weight_unshifted` : `${path}/weight`, attributes: { axis: 0 } });
  if (!stored.offset) return restored;
  const offsets = Float32Array.from(stored.offset, (value, i) => value * factors[i]!);
  const offset = model.constant(`${path}/weight_offset`, offsets, [outChannels, ...shape.slice(1).map(() => 1)]);
  return model.node("Add", [restored, offset], { output: `${path}/weight` });
}

function fitsFourBits(values: Int8Array | Uint8Array): boolean {
  const [low, high] = values instanceof Int8Array ? [-8, 7] : [0, 15];
  return values.every((value) => value >= low && value <= high);
}
