/**
 * A network as an ONNX file that multiplies integers.
 *
 *   layer read by one quantized layer alone:  q' = Clip(QLinearConv(q, W, B), low, high),  B = round(b / (s · scale)) in int32
 *   any other layer, and the last:            y = ConvInteger(q, W) · s · scale + b in float, for a sum or the logits
 *
 * Sums of a residual network stay float, as training never rounded them. The first form rounds the bias to whole products,
 * which QDQ does not: its accuracy is its own. Integers below 0 are stored 128 higher, with a zero point of 128, as ONNX
 * Runtime's kernels take unsigned inputs alone.
 */
import { TensorProto_DataType as DataType } from "onnx-buf";
import type { Grid } from "../quant/types.ts";
import type { ExportedNetwork, LayerIntegers, LayerWeight } from "./network.ts";
import { OnnxModel } from "./onnx_model.ts";
import {
  convolutionAttributes,
  dequantizedWeight,
  type FileOptions,
  filled,
  inputIntegers,
  type LayerStep,
  outputName,
  portsOf,
  writeProduct,
  writeStep,
} from "./quantize_dequantize.ts";

/** Largest sum of two products that CPUs without VNNI add in 16 bits, where weights are signed. */
const LARGEST_PAIR = 32767;

/** An input grid in unsigned bytes: q = x / step + zero, cut to low .. high; `offset` is subtracted from x before. */
interface ByteGrid {
  readonly step: number;
  readonly zero: number;
  readonly low: number;
  readonly high: number;
  readonly offset: number;
}

function byteGrid({ low, high, scale: [step], zero: [zero] }: Grid): ByteGrid {
  const lift = low < 0 ? 128 : 0, whole = Number.isInteger(zero!);
  const offset = whole ? 0 : -zero! * step!;
  return { step: step!, zero: (whole ? zero! : 0) + lift, low: low + lift, high: high + lift, offset };
}

/** Weights of whole numbers in bytes, less their zero point; null: they are not whole, or do not fit. */
function byteWeights({ weight, weightGrid, inputGrid }: LayerIntegers, channels: number) {
  const zero = filled(weightGrid.zero, channels), scale = filled(weightGrid.scale, channels);
  const factor = zero.every(Number.isInteger) ? 1 : 2, size = weight.length / channels;
  const values = Array.from(weight, (value, i) => factor * (value - zero[Math.floor(i / size)]!));
  const [low, high] = [Math.min(...new Set(values)), Math.max(...new Set(values))], largest = Math.max(-low, high);
  if (!values.every(Number.isInteger) || low < -128 || high > 127) return null;
  const lifted = 2 * largest * (byteGrid(inputGrid).high) > LARGEST_PAIR;
  return {
    values: lifted ? Uint8Array.from(values, (value) => value + 128) : Int8Array.from(values),
    zero: lifted ? Uint8Array.of(128) : Int8Array.of(0),
    scale: scale.map((value) => value / factor),
    /** Without the zero point, for sums over them. */
    plain: values,
  };
}

/** A quantized layer that is to take the integers of the layer before it as they are. */
interface Target {
  readonly index: number;
  readonly grid: ByteGrid;
}

/** Writes one network. */
class IntegerWriter {
  readonly #model = new OnnxModel();
  readonly #network: ExportedNetwork;
  /** Float tensor of each step. */
  readonly #floats: string[] = [];
  /** Input in integers by step of a layer, where the layer before gives them. */
  readonly #given = new Map<number, string>();

  constructor(network: ExportedNetwork) {
    this.#network = network;
  }

  write(options: FileOptions): Uint8Array<ArrayBuffer> {
    const { steps } = this.#network;
    steps.forEach((step, index) => {
      const output = outputName(step, { index, last: steps.length - 1 });
      if (step.kind === "layer") this.#floats.push(this.#layer(step, index, output));
      // nobody reads what a QLinearConv has taken in
      else if (step.inputs.some((input) => this.#floats[input] === "")) this.#floats.push("");
      else {this.#floats.push(writeStep(this.#model, step, {
          inputs: step.inputs.map((i) => this.#floats[i]!),
          output,
        }));}
    });
    return this.#model.encode({ ...portsOf(this.#network), metadata: options.metadata });
  }

  /** @returns The float output, or nothing where the next layer has got its integers. */
  #layer(step: LayerStep, index: number, output: string): string {
    const { path, outChannels } = step.layer, weight = this.#network.weights[path]!, { integers } = weight;
    if (!integers) throw new Error(`Cannot write layer ${path} in integers as it has none`);
    const grid = byteGrid(integers.inputGrid);
    const input = this.#given.get(index) ?? this.#quantized(path, { input: this.#floats[step.inputs[0]!]!, grid });
    const bytes = byteWeights(integers, outChannels);
    if (!bytes) return this.#dequantized(step, { input, grid, weight, output });
    const name = `${path}/weight_integers`;
    if (step.layer.kind === "dense") {
      const transposed = bytes.values.map((_, i) => {
        const [row, column] = [Math.floor(i / outChannels), i % outChannels];
        return bytes.values[column * (bytes.values.length / outChannels) + row]!;
      });
      this.#model.constant(name, transposed, [...weight.shape].reverse());
    } else this.#model.constant(name, bytes.values, weight.shape);
    const factors = filled(step.scale ?? [1], outChannels);
    const scale = bytes.scale.map((value, i) => value * factors[i]! * grid.step);
    const target = grid.offset === 0 && step.layer.kind !== "dense" ? this.#target(index) : null;
    if (target && this.#requantized(step, { input, grid, scale, zero: bytes.zero, target })) return "";
    const zeros = [
      this.#model.constant(`${path}/input_zero_point`, Uint8Array.of(grid.zero), []),
      this.#model.constant(`${path}/weight_zero_point`, bytes.zero, []),
    ];
    const dense = step.layer.kind === "dense", shape = dense ? [outChannels] : [outChannels, 1, 1];
    const sums = this.#model.node(dense ? "MatMulInteger" : "ConvInteger", [input, name, ...zeros], {
      output: `${path}/sums`,
      name: path,
      attributes: dense ? {} : convolutionAttributes(step.layer, step.padding),
    });
    const floats = this.#model.node("Cast", [sums], { output: `${path}/products`, attributes: { to: DataType.FLOAT } });
    const bias = grid.offset === 0 ? null : offsetBias(step, { plain: bytes.plain, scale, grid });
    const shift = step.shift && filled(step.shift, outChannels), last = bias ?? (shift && { values: shift, shape });
    const scales = this.#model.constant(`${path}/output_scale`, scale, shape);
    const scaled = this.#model.node("Mul", [floats, scales], { output: last ? `${path}/scaled` : output });
    if (!last) return scaled;
    return this.#model.node("Add", [scaled, this.#model.constant(`${path}/bias`, last.values, last.shape)], { output });
  }

  #quantized(path: string, { input, grid }: { input: string; grid: ByteGrid }): string {
    const { step, zero, offset } = grid;
    const beta = offset === 0 ? null : this.#model.constant(`${path}/input_offset`, Float32Array.of(offset), []);
    const shifted = beta ? this.#model.node("Sub", [input, beta], { output: `${path}/input_shifted` }) : input;
    const rounded = this.#model.node("QuantizeLinear", [
      shifted,
      this.#model.constant(`${path}/input_scale`, Float32Array.of(step), []),
      this.#model.constant(`${path}/input_zero_point`, Uint8Array.of(zero), []),
    ], { output: `${path}/input_rounded` });
    return this.#clipped(path, rounded, grid);
  }

  #clipped(path: string, rounded: string, { low, high }: Pick<ByteGrid, "low" | "high">): string {
    const bounds = [low, high].map((bound) => this.#model.constant(`bound_${bound}`, Uint8Array.of(bound), []));
    return this.#model.node("Clip", [rounded, ...bounds], { output: inputIntegers(path) });
  }

  /** A layer whose weight is not whole (DoReFa's in 8 bits): its product is a float one. */
  #dequantized(
    step: LayerStep,
    { input, grid, weight, output }: { input: string; grid: ByteGrid; weight: LayerWeight; output: string },
  ): string {
    const { path } = step.layer;
    const values = this.#model.node("DequantizeLinear", [
      input,
      this.#model.constant(`${path}/input_scale`, Float32Array.of(grid.step), []),
      this.#model.constant(`${path}/input_zero_point`, Uint8Array.of(grid.zero), []),
    ], { output: `${path}/input` });
    const integers = weight.integers!;
    const restored = dequantizedWeight(this.#model, step, { integers, shape: weight.shape, packed: false });
    return writeProduct(this.#model, step, { input: values, weight: restored, output });
  }

  /** The quantized layer that alone reads a layer, through a relu or not; null: others read it. */
  #target(index: number): Target | null {
    const { steps, weights } = this.#network;
    let cut = { low: -Infinity, high: Infinity };
    for (let at = index;;) {
      const readers = steps.flatMap((step, i) => step.inputs.map((input) => [input, i] as const))
        .filter(([input]) => input === at).map(([, i]) => i);
      const reader = steps[readers[0] ?? -1];
      if (readers.length !== 1 || !reader) return null;
      if (reader.kind === "relu") cut = { ...cut, low: 0 };
      else if (reader.kind === "relu6") cut = { low: 0, high: 6 };
      else if (reader.kind === "layer") {
        const grid = byteGrid(weights[reader.layer.path]!.integers!.inputGrid);
        const integerOf = (x: number) => Math.round((x - grid.offset) / grid.step + grid.zero);
        const low = Math.max(grid.low, integerOf(cut.low)), high = Math.min(grid.high, integerOf(cut.high));
        return { index: readers[0]!, grid: { ...grid, low, high } };
      } else return null;
      at = readers[0]!;
    }
  }

  /** Writes QLinearConv into the grid of the next layer. @returns Whether its bias fits in int32. */
  #requantized(
    { layer, padding, shift }: LayerStep,
    { input, grid, scale, zero, target }: {
      input: string;
      grid: ByteGrid;
      scale: Float32Array;
      zero: Int8Array | Uint8Array;
      target: Target;
    },
  ): boolean {
    const { path, outChannels } = layer, next = this.#network.steps[target.index] as LayerStep;
    const bias = Array.from(
      filled(shift ?? [0], outChannels),
      (b, i) => Math.round((b - target.grid.offset) / scale[i]!),
    );
    if (!bias.every((value) => Math.abs(value) < 2 ** 31)) return false;
    const zeros = zero instanceof Int8Array
      ? new Int8Array(outChannels).fill(zero[0]!)
      : new Uint8Array(outChannels).fill(zero[0]!);
    const rounded = this.#model.node("QLinearConv", [
      input,
      this.#model.constant(`${path}/input_scale`, Float32Array.of(grid.step), []),
      this.#model.constant(`${path}/input_zero_point`, Uint8Array.of(grid.zero), []),
      `${path}/weight_integers`,
      this.#model.constant(`${path}/weight_scale`, scale.map((value) => value / grid.step), [outChannels]),
      this.#model.constant(`${path}/weight_zero_point`, zeros, [outChannels]),
      this.#model.constant(`${next.layer.path}/input_scale`, Float32Array.of(target.grid.step), []),
      this.#model.constant(`${next.layer.path}/input_zero_point`, Uint8Array.of(target.grid.zero), []),
      this.#model.constant(`${path}/bias_integers`, Int32Array.from(bias), [outChannels]),
    ], { output: `${next.layer.path}/input_rounded`, name: path, attributes: convolutionAttributes(layer, padding) });
    this.#given.set(target.index, this.#clipped(next.layer.path, rounded, target.grid));
    return true;
  }
}

/**
 * The bias of a layer whose input has an offset β: b + β · conv(1, W), which is less at an edge, as padding is 0 and not β.
 */
function offsetBias(
  { layer, padding, shift, shape }: LayerStep,
  { plain, scale, grid }: { plain: readonly number[]; scale: Float32Array; grid: ByteGrid },
): { values: Float32Array; shape: readonly number[] } {
  const { outChannels, inChannels, kernelSize: k, stride, kind } = layer, bias = filled(shift ?? [0], outChannels);
  const [height, width] = kind === "dense" ? [1, 1] : [shape[1]!, shape[2]!], size = plain.length / outChannels;
  const [inHeight, inWidth] = [
    (height - 1) * stride + k - padding.top - padding.bottom,
    (width - 1) * stride + k - padding.left - padding.right,
  ];
  const values = new Float32Array(outChannels * height * width), inner = kind === "depthwise" ? 1 : inChannels;
  for (let channel = 0; channel < outChannels; channel++) {
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        let sum = 0;
        for (let i = 0; i < inner * k * k; i++) {
          const row = y * stride - padding.top + Math.floor(i / k) % k, column = x * stride - padding.left + i % k;
          if (row >= 0 && row < inHeight && column >= 0 && column < inWidth) sum += plain[channel * size + i]!;
        }
        const product = sum * scale[channel]! * grid.offset / grid.step;
        values[(channel * height + y) * width + x] = bias[channel]! + product;
      }
    }
  }
  return { values, shape: kind === "dense" ? [outChannels] : [1, outChannels, height, width] };
}

/** The file of a quantized network in its integer form. */
export function integerFile(network: ExportedNetwork, options: FileOptions): Uint8Array<ArrayBuffer> {
  return new IntegerWriter(network).write(options);
}
