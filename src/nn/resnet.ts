import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { relu } from "../engine/ops.ts";
import { ModelBuilder } from "./builder.ts";
import { applyLayer, normActivationLayer, normalise } from "./layers.ts";
import type { Context, Layer, Model, ModelDefinition, ModelOptions, Norm } from "./types.ts";

/** Blocks of one stage and their channels. */
interface Stage {
  readonly blocks: number;
  readonly channels: number;
}

interface Block {
  readonly conv1: Layer;
  readonly norm1: Norm;
  readonly conv2: Layer;
  readonly norm2: Norm;
  readonly shortcut: { readonly conv: Layer; readonly norm: Norm } | null;
}

function basicBlock(builder: ModelBuilder, path: string, shape: { in: number; out: number; stride: number }): Block {
  const { stride } = shape, inChannels = shape.in, outChannels = shape.out;
  const projected = stride > 1 || inChannels !== outChannels;
  return {
    conv1: builder.layer(`${path}/conv1`, { inChannels, outChannels, kernelSize: 3, stride, inputSigned: false }),
    norm1: builder.norm(`${path}/norm1`, outChannels),
    conv2: builder.layer(`${path}/conv2`, {
      inChannels: outChannels,
      outChannels,
      kernelSize: 3,
      inputSigned: false,
    }),
    norm2: builder.norm(`${path}/norm2`, outChannels),
    shortcut: projected
      ? {
        conv: builder.layer(`${path}/shortcut`, { inChannels, outChannels, stride, inputSigned: false }),
        norm: builder.norm(`${path}/shortcut_norm`, outChannels),
      }
      : null,
  };
}

/** relu(norm2(conv2(relu(norm1(conv1(x))))) + shortcut(x)) */
function applyBlock(context: Context, block: Block, x: Tensor): Tensor {
  const first = applyLayer(context, block.conv1, x);
  const second = normActivationLayer(context, block.conv2, { norm: block.norm1, activation: "relu", input: first });
  const main = normalise(context, block.norm2, { input: second });
  const { shortcut } = block;
  const skip = shortcut ? normalise(context, shortcut.norm, { input: applyLayer(context, shortcut.conv, x) }) : x;
  return relu(tf.add(main, skip));
}

function buildResnet(name: string, stages: readonly Stage[], options: ModelOptions): Model {
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
      const block = basicBlock(builder, `stage${i + 1}/block${j}`, { in: channels, out: stage.channels, stride });
      channels = stage.channels;
      return block;
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
      for (const block of blocks) x = applyBlock(context, block, x);
      const features = tf.mean(x, [1, 2]); // [batch, channels]
      return { logits: applyLayer(context, dense, features), features };
    },
  };
}

function definition(name: string, form: string, stages: readonly Stage[]): ModelDefinition {
  return { name, form, build: (options) => buildResnet(name, stages, options) };
}

function cifarStages(blocks: number): Stage[] {
  return [16, 32, 64].map((channels) => ({ blocks, channels }));
}

/**
 * ResNets for 32 x 32 images: a 3 x 3 stem of stride 1 without pooling, basic blocks, global average pooling, one dense layer.
 *
 * Shortcuts that change shape are 1 x 1 convolutions with batch norm (option B of He et al. 2016), as MQBench and most
 * PyTorch code have them; the original ResNet-20 pads with zeros (option A) and so has 272,474 - 2,752 parameters.
 *
 * @see He et al., CVPR 2016, arXiv:1512.03385, section 4.2 (ResNet-20) and table 1 (ResNet-18)
 */
export const resnet8 = definition(
  "resnet8",
  "1 block a stage, 16-32-64 channels, projection shortcuts",
  cifarStages(1),
);
export const resnet20 = definition(
  "resnet20",
  "3 blocks a stage, 16-32-64 channels, projection shortcuts",
  cifarStages(3),
);
export const resnet18 = definition(
  "resnet18",
  "CIFAR stem (3 x 3, stride 1, no pooling), 2 blocks a stage, 64-128-256-512 channels",
  [64, 128, 256, 512].map((channels) => ({ blocks: 2, channels })),
);
