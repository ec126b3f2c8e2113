import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { maxPool, relu } from "../engine/ops.ts";
import { ModelBuilder } from "./builder.ts";
import { applyLayer, normalise } from "./layers.ts";
import type { Context, Model, ModelOptions } from "./types.ts";

/** Blocks of one stage and their channels (of a bottleneck: the channels of its 3 x 3 convolution). */
export interface Stage {
  readonly blocks: number;
  readonly channels: number;
}

/** Layers before the first stage: a convolution, and max pooling where `pooled`. */
export interface Stem {
  readonly kernelSize: number;
  readonly stride: number;
  readonly pooled: boolean;
}

/** The stem for images of 32 x 32: it keeps every pixel. */
export const CIFAR_STEM: Stem = { kernelSize: 3, stride: 1, pooled: false };

/** The stem for images of 224 x 224, a quarter of each side behind it (He et al. 2016, table 1; torchvision's `conv1`, `maxpool`). */
export const IMAGENET_STEM: Stem = { kernelSize: 7, stride: 2, pooled: true };

const POOLING = { size: 3, stride: 2, padding: 1 } as const;

/** torchvision's name of a layer or norm: `stage2/block0/norm1` is `layer2.0.bn1`. */
export function torchvisionName(path: string): string {
  const outer: Record<string, string> = { "stem/conv": "conv1", "stem/norm": "bn1", classifier: "fc" };
  const inner: Record<string, string> = { shortcut: "downsample.0", shortcut_norm: "downsample.1" };
  const [, stage, block, part] = path.match(/^stage(\d+)\/block(\d+)\/(\w+)$/) ?? [];
  return outer[path] ?? `layer${stage}.${block}.${inner[part!] ?? part!.replace("norm", "bn")}`;
}

/** Place of a block in its network. */
export interface BlockShape {
  readonly inChannels: number;
  /** The stage's channels. */
  readonly channels: number;
  readonly stride: number;
  /** Image pixels along one side for each pixel of the block's input. */
  readonly reduction: number;
}

/** A residual block that is laid out. */
export interface ResidualBlock {
  readonly outChannels: number;
  apply(context: Context, x: Tensor): Tensor;
}

/** Lays out the layers and norms of one block under `path`. */
export type BlockLayout = (builder: ModelBuilder, path: string, shape: BlockShape) => ResidualBlock;

/** Shape of a ResNet. */
export interface ResidualNetwork {
  readonly name: string;
  readonly stem: Stem;
  readonly block: BlockLayout;
  readonly stages: readonly Stage[];
}

/**
 * A ResNet: a stem as wide as the first stage, the stages, each but the first with stride 2 in its first block, global average
 * pooling, one dense layer.
 */
export function buildResidualNetwork(network: ResidualNetwork, options: ModelOptions): Model {
  const { name, stem: { kernelSize, stride, pooled }, block, stages } = network, builder = new ModelBuilder();
  let channels = stages[0]!.channels, reduction = stride * (pooled ? POOLING.stride : 1);
  const stem = builder.layer("stem/conv", {
    inChannels: options.imageChannels,
    outChannels: channels,
    kernelSize,
    stride,
    position: "first",
    inputSigned: true,
  });
  const stemNorm = builder.norm("stem/norm", channels);
  const blocks = stages.flatMap((stage, i) =>
    Array.from({ length: stage.blocks }, (_, j) => {
      const stride = i > 0 && j === 0 ? 2 : 1;
      const shape = { inChannels: channels, channels: stage.channels, stride, reduction };
      const laidOut = block(builder, `stage${i + 1}/block${j}`, shape);
      channels = laidOut.outChannels;
      reduction *= stride;
      return laidOut;
    })
  );
  const dense = builder.layer("classifier", {
    kind: "dense",
    inChannels: channels,
    outChannels: options.classes,
    position: "last",
    inputSigned: false,
  });
  return {
    name,
    classes: options.classes,
    layers: builder.layers,
    norms: builder.norms,
    forward(context, images) {
      let x = relu(normalise(context, stemNorm, { input: applyLayer(context, stem, images) }));
      if (pooled) x = maxPool(x, POOLING);
      for (const block of blocks) x = block.apply(context, x);
      const features = tf.mean(x, [1, 2]); // [batch, channels]
      return { logits: applyLayer(context, dense, features), features };
    },
  };
}

/**
 * The way around a block: x itself where the shape stays, else norm(conv 1 x 1 (x)) with the block's stride (option B of He
 * et al. 2016).
 */
export function shortcutOf(
  builder: ModelBuilder,
  path: string,
  shape: { inChannels: number; outChannels: number; stride: number; reduction: number },
): (context: Context, x: Tensor) => Tensor {
  if (shape.stride === 1 && shape.inChannels === shape.outChannels) return (_, x) => x;
  const conv = builder.layer(`${path}/shortcut`, { ...shape, inputSigned: false });
  const norm = builder.norm(`${path}/shortcut_norm`, shape.outChannels);
  return (context, x) => normalise(context, norm, { input: applyLayer(context, conv, x) });
}
