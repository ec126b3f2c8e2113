import * as tf from "@tensorflow/tfjs-core";
import { relu } from "../engine/ops.ts";
import type { ModelBuilder } from "./builder.ts";
import { applyLayer, normActivationLayer, normalise } from "./layers.ts";
import {
  type BlockShape,
  buildResidualNetwork,
  CIFAR_STEM,
  IMAGENET_STEM,
  type ResidualBlock,
  shortcutOf,
  type Stem,
  torchvisionName,
} from "./residual_network.ts";
import type { ModelDefinition } from "./types.ts";

/** Channels behind a bottleneck over those within it. */
const EXPANSION = 4;

/** relu(norm3(conv3(relu(norm2(conv2(relu(norm1(conv1(x)))))))) + shortcut(x)); 1 x 1, 3 x 3 with the stride, 1 x 1. */
export function bottleneck(builder: ModelBuilder, path: string, shape: BlockShape): ResidualBlock {
  const { inChannels, channels, stride, reduction } = shape, outChannels = EXPANSION * channels;
  const conv1 = builder.layer(`${path}/conv1`, { inChannels, outChannels: channels, reduction, inputSigned: false });
  const norm1 = builder.norm(`${path}/norm1`, channels);
  const conv2 = builder.layer(`${path}/conv2`, {
    inChannels: channels,
    outChannels: channels,
    kernelSize: 3,
    stride,
    reduction,
    inputSigned: false,
  });
  const norm2 = builder.norm(`${path}/norm2`, channels);
  const conv3 = builder.layer(`${path}/conv3`, {
    inChannels: channels,
    outChannels,
    reduction: reduction * stride,
    inputSigned: false,
  });
  const norm3 = builder.norm(`${path}/norm3`, outChannels);
  const shortcut = shortcutOf(builder, path, { inChannels, outChannels, stride, reduction });
  return {
    outChannels,
    apply(context, x) {
      const first = applyLayer(context, conv1, x);
      const second = normActivationLayer(context, conv2, { norm: norm1, activation: "relu", input: first });
      const third = normActivationLayer(context, conv3, { norm: norm2, activation: "relu", input: second });
      return relu(tf.add(normalise(context, norm3, { input: third }), shortcut(context, x)));
    },
  };
}

const STAGES = [
  { blocks: 3, channels: 64 },
  { blocks: 4, channels: 128 },
  { blocks: 6, channels: 256 },
  { blocks: 3, channels: 512 },
] as const;

function definition(name: string, form: string, stem: Stem): ModelDefinition {
  return {
    name,
    form,
    build: (options) => buildResidualNetwork({ name, stem, block: bottleneck, stages: STAGES }, options),
  };
}

/**
 * ResNet-50 for 32 x 32 images: bottlenecks whose stride is in the 3 x 3 convolution (as torchvision has it; in the paper it
 * is in the first 1 x 1), projection shortcuts, CIFAR stem as in `resnet18`.
 *
 * @see He et al., CVPR 2016, arXiv:1512.03385, table 1
 */
export const resnet50 = definition(
  "resnet50",
  "CIFAR stem (3 x 3, stride 1, no pooling), 3-4-6-3 bottlenecks of 64-128-256-512 channels, expansion 4",
  CIFAR_STEM,
);

/**
 * ResNet-50 as torchvision has it, with the names of `resnet18ImageNet`.
 *
 * @see He et al., CVPR 2016, arXiv:1512.03385, table 1; torchvision 0.28, torchvision/models/resnet.py
 */
export const resnet50ImageNet: ModelDefinition = {
  ...definition(
    "resnet50_imagenet",
    "ImageNet stem (7 x 7, stride 2, max pooling), 3-4-6-3 bottlenecks of 64-128-256-512 channels, expansion 4",
    IMAGENET_STEM,
  ),
  foreign: { source: "torchvision 0.28, resnet50", module: torchvisionName },
};
