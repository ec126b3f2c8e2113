import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { relu } from "../engine/ops.ts";
import { ModelBuilder } from "./builder.ts";
import { applyLayer, normalise } from "./layers.ts";
import type { Context, Model, ModelOptions } from "./types.ts";

/** Blocks of one stage and their channels (of a bottleneck: the channels of its 3 x 3 convolution). */
export interface Stage {
  readonly blocks: number;
  readonly channels: number;
}

/** Place of a block in its network. */
export interface BlockShape {
  readonly inChannels: number;
  /** The stage's channels. */
  readonly channels: number;
  readonly stride: number;
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
  readonly block: BlockLayout;
  readonly stages: readonly Stage[];
}

/**
 * A ResNet for 32 x 32 images: a 3 x 3 stem of stride 1 without pooling, as wide as the first stage, the stages, each but the
 * first with stride 2 in its first block, global average pooling, one dense layer.
 */
export function buildResidualNetwork({ name, block, stages }: ResidualNetwork, options: ModelOptions): Model {
  const builder = new ModelBuilder();
  let channels = stages[0]!.channels;
  const stem = builder.layer("stem/conv", {
    inChannels: options.imageChannels,
    outChannels: channels,
    kernelSize: 3,
    position: "first",
    inputSigned: true,
  });
  const stemNorm = builder.norm("stem/norm", channels);
  const blocks = stages.flatMap((stage, i) =>
    Array.from({ length: stage.blocks }, (_, j) => {
      const stride = i > 0 && j === 0 ? 2 : 1;
      const shape = { inChannels: channels, channels: stage.channels, stride };
      const laidOut = block(builder, `stage${i + 1}/block${j}`, shape);
      channels = laidOut.outChannels;
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
  shape: { inChannels: number; outChannels: number; stride: number },
): (context: Context, x: Tensor) => Tensor {
  if (shape.stride === 1 && shape.inChannels === shape.outChannels) return (_, x) => x;
  const conv = builder.layer(`${path}/shortcut`, { ...shape, inputSigned: false });
  const norm = builder.norm(`${path}/shortcut_norm`, shape.outChannels);
  return (context, x) => normalise(context, norm, { input: applyLayer(context, conv, x) });
}
