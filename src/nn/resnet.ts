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
  type Stage,
  type Stem,
  torchvisionName,
} from "./residual_network.ts";
import type { ModelDefinition } from "./types.ts";

/** relu(norm2(conv2(relu(norm1(conv1(x))))) + shortcut(x)) */
function basicBlock(builder: ModelBuilder, path: string, shape: BlockShape): ResidualBlock {
  const { inChannels, channels: outChannels, stride, reduction } = shape,
    outside = { inChannels, outChannels, stride, reduction };
  const conv1 = builder.layer(`${path}/conv1`, { ...outside, kernelSize: 3, inputSigned: false });
  const norm1 = builder.norm(`${path}/norm1`, outChannels);
  const conv2 = builder.layer(`${path}/conv2`, {
    inChannels: outChannels,
    outChannels,
    kernelSize: 3,
    reduction: reduction * stride,
    inputSigned: false,
  });
  const norm2 = builder.norm(`${path}/norm2`, outChannels);
  const shortcut = shortcutOf(builder, path, outside);
  return {
    outChannels,
    apply(context, x) {
      const first = applyLayer(context, conv1, x);
      const second = normActivationLayer(context, conv2, { norm: norm1, activation: "relu", input: first });
      return relu(tf.add(normalise(context, norm2, { input: second }), shortcut(context, x)));
    },
  };
}

function definition(
  name: string,
  form: string,
  { stages, stem }: { stages: readonly Stage[]; stem: Stem },
): ModelDefinition {
  return { name, form, build: (options) => buildResidualNetwork({ name, stem, block: basicBlock, stages }, options) };
}

function cifarStages(blocks: number): Stage[] {
  return [16, 32, 64].map((channels) => ({ blocks, channels }));
}

const STAGES_18: readonly Stage[] = [64, 128, 256, 512].map((channels) => ({ blocks: 2, channels }));

/**
 * ResNets of basic blocks for 32 x 32 images.
 *
 * Shortcuts that change shape are 1 x 1 convolutions with batch norm (option B of He et al. 2016), as MQBench and most
 * PyTorch code have them; the original ResNet-20 pads with zeros (option A) and so has 272,474 - 2,752 parameters.
 *
 * @see He et al., CVPR 2016, arXiv:1512.03385, section 4.2 (ResNet-20) and table 1 (ResNet-18)
 */
export const resnet8 = definition(
  "resnet8",
  "1 block a stage, 16-32-64 channels, projection shortcuts",
  { stem: CIFAR_STEM, stages: cifarStages(1) },
);
export const resnet20 = definition(
  "resnet20",
  "3 blocks a stage, 16-32-64 channels, projection shortcuts",
  { stem: CIFAR_STEM, stages: cifarStages(3) },
);

export const resnet18 = definition(
  "resnet18",
  "CIFAR stem (3 x 3, stride 1, no pooling), 2 blocks a stage, 64-128-256-512 channels",
  { stem: CIFAR_STEM, stages: STAGES_18 },
);

/**
 * ResNet-18 as torchvision has it, with these names beside ours:
 *
 *   stem/conv conv1, stem/norm bn1, classifier fc;  stage2/block0/: layer2.0.
 *   conv1 conv1, norm1 bn1, conv2 conv2, norm2 bn2, shortcut downsample.0, shortcut_norm downsample.1
 *
 * Below them, gamma is `weight`, beta `bias`, mean `running_mean` and variance `running_var` (`torch_network.ts`).
 *
 * @see He et al., CVPR 2016, arXiv:1512.03385, table 1; torchvision 0.28, torchvision/models/resnet.py
 */
export const resnet18ImageNet: ModelDefinition = {
  ...definition(
    "resnet18_imagenet",
    "ImageNet stem (7 x 7, stride 2, max pooling), 2 blocks a stage, 64-128-256-512 channels",
    { stem: IMAGENET_STEM, stages: STAGES_18 },
  ),
  foreign: { source: "torchvision 0.28, resnet18", module: torchvisionName },
};
