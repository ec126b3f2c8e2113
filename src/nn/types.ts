import type { Tensor } from "../engine/types.ts";
import type { ActivationQuantizer, ScaledTensor, WeightQuantizer } from "../quant/types.ts";
import type { Leaves } from "../tree.ts";

/** A layer with a weight, and so with quantizers: a convolution or the dense layer at the end. */
export interface Layer {
  /** Path of its parameters: `stage1/block0/conv1`. */
  readonly path: string;
  /** Operation of the layer. */
  readonly kind: "convolution" | "depthwise" | "dense";
  /** Place in `model.layers`. */
  readonly index: number;
  /** Channels of its input. */
  readonly inChannels: number;
  /** Channels of its output. */
  readonly outChannels: number;
  /** Side of the square kernel; 1 for dense. */
  readonly kernelSize: number;
  /** Step of the kernel. */
  readonly stride: number;
  /** Image pixels along one side for each pixel of the layer's input: 4 behind two strides of 2. */
  readonly reduction: number;
  /** The first and the last layer of a network keep more bits. */
  readonly position: "first" | "inner" | "last";
  /** True: its input takes negative values, as the image does, or a tensor behind no relu. */
  readonly inputSigned: boolean;
}

/** Batch normalisation of `channels` channels. */
export interface Norm {
  /** Path of its parameters: `stage1/block0/norm1`. */
  readonly path: string;
  /** Number of channels. */
  readonly channels: number;
}

/** The quantizers of one layer. */
export interface LayerQuantization {
  /** Name of the quantizer in a run spec, for messages; left out: it has none. */
  readonly name?: string;
  /** Quantizer of the weight. */
  readonly weight: WeightQuantizer;
  /** Quantizer of the input. */
  readonly input: ActivationQuantizer;
}

/** Quantizers by layer path. */
export type ModelQuantization = Readonly<Record<string, LayerQuantization>>;

/** Places where a method reads or replaces tensors of a forward pass. */
export interface Hooks {
  /** Sees the input of a layer before its quantizer; only called where nothing is folded (a full-precision pass). */
  observe?(layer: Layer, input: Tensor): void;
  /**
   * Sees, and may replace, the input of a quantized layer in units of its step size, before rounding. Where `inputSigned` is
   * false the relu before it may be left to the quantizer's clip: values below 0 then stand for 0.
   */
  scaled?(layer: Layer, scaled: Tensor): Tensor;
  /** Sees, and may replace, what a quantized layer computes with. */
  input?(layer: Layer, input: ScaledTensor): ScaledTensor;
  /** Sees the output of a layer, before batch normalisation. */
  output?(layer: Layer, output: Tensor): void;
}

/** Inputs of a forward pass. */
export interface Context {
  /** Learned, by path. */
  readonly params: Leaves<Tensor>;
  /** Running statistics and zero points, by path. */
  readonly state: Leaves<Tensor>;
  /** True: batch normalisation takes the statistics of the batch and updates the running ones. */
  readonly training: boolean;
  /** Null: full precision. */
  readonly quantization: ModelQuantization | null;
  /** Places to look in; empty: none. */
  readonly hooks: Hooks;
  /** Filled by the pass: new running statistics, by path. Only in training. */
  readonly updates: Record<string, Tensor>;
}

/** Outputs of a forward pass. */
export interface Output {
  /** [batch, classes]. */
  readonly logits: Tensor;
  /** [batch, features]: the pooled input of the dense layer, before its quantizer. */
  readonly features: Tensor;
}

/** A network: a pure function over named trees. One file of this folder and one line of `mod.ts`. */
export interface Model {
  /** Name in a run spec. */
  readonly name: string;
  /** Number of classes. */
  readonly classes: number;
  /** In the order of the forward pass. */
  readonly layers: readonly Layer[];
  /** In the order of the forward pass. */
  readonly norms: readonly Norm[];
  /** Runs the network on images, [batch, h, w, c]. */
  forward(context: Context, images: Tensor): Output;
}

/** Options of a model. */
export interface ModelOptions {
  /** Number of classes. */
  readonly classes: number;
  /** 1: grey, 3: colour. */
  readonly imageChannels: number;
}

/** The same network in another library. */
export interface ForeignNames {
  /** The library, its version and its name of the network. */
  readonly source: string;
  /** The library's name of the layer or norm at `path`. */
  module(path: string): string;
}

/** A model by name: what `mod.ts` lists. */
export interface ModelDefinition {
  /** Name in a run spec. */
  readonly name: string;
  /** The form that was taken, for people. */
  readonly form: string;
  /** Names under which a PyTorch library keeps its tensors; absent where no library has the same network. */
  readonly foreign?: ForeignNames;
  /** Lays out the network. */
  build(options: ModelOptions): Model;
}
