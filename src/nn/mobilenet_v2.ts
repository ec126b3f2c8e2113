import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { ModelBuilder } from "./builder.ts";
import { activate, applyLayer, normActivationLayer, normalise } from "./layers.ts";
import type { Context, Layer, Model, ModelDefinition, ModelOptions, Norm } from "./types.ts";

/** Expansion t, channels c, repeats n and first stride s of each stage (table 2 of the paper). */
const STAGES = [
  { expansion: 1, channels: 16, repeats: 1, stride: 1 },
  { expansion: 6, channels: 24, repeats: 2, stride: 2 },
  { expansion: 6, channels: 32, repeats: 3, stride: 2 },
  { expansion: 6, channels: 64, repeats: 4, stride: 2 },
  { expansion: 6, channels: 96, repeats: 3, stride: 1 },
  { expansion: 6, channels: 160, repeats: 3, stride: 2 },
  { expansion: 6, channels: 320, repeats: 1, stride: 1 },
] as const;

const STEM_CHANNELS = 32, HEAD_CHANNELS = 1280;

/** Channels at a width: the nearest multiple of 8 (half up), one more where that takes off over 10 % (torchvision's rule). */
function scaled(channels: number, width: number): number {
  const wanted = channels * width, nearest = Math.max(8, Math.floor(wanted / 8 + 0.5) * 8);
  return nearest < 0.9 * wanted ? nearest + 8 : nearest;
}

interface InvertedResidual {
  readonly expand: { readonly conv: Layer; readonly norm: Norm } | null;
  readonly depthwise: Layer;
  readonly depthwiseNorm: Norm;
  readonly project: Layer;
  readonly projectNorm: Norm;
  readonly residual: boolean;
}

function invertedResidual(
  builder: ModelBuilder,
  path: string,
  shape: { in: number; out: number; stride: number; expansion: number; reduction: number; inputSigned: boolean },
): InvertedResidual {
  const hidden = shape.in * shape.expansion, { reduction } = shape;
  const expand = shape.expansion === 1 ? null : {
    conv: builder.layer(`${path}/expand`, {
      inChannels: shape.in,
      outChannels: hidden,
      reduction,
      inputSigned: shape.inputSigned,
    }),
    norm: builder.norm(`${path}/expand_norm`, hidden),
  };
  return {
    expand,
    depthwise: builder.layer(`${path}/depthwise`, {
      kind: "depthwise",
      inChannels: hidden,
      outChannels: hidden,
      kernelSize: 3,
      stride: shape.stride,
      reduction,
      inputSigned: expand === null && shape.inputSigned,
    }),
    depthwiseNorm: builder.norm(`${path}/depthwise_norm`, hidden),
    project: builder.layer(`${path}/project`, {
      inChannels: hidden,
      outChannels: shape.out,
      reduction: reduction * shape.stride,
      inputSigned: false,
    }),
    projectNorm: builder.norm(`${path}/project_norm`, shape.out),
    residual: shape.stride === 1 && shape.in === shape.out,
  };
}

function applyBlock(context: Context, block: InvertedResidual, x: Tensor): Tensor {
  const spread = block.expand
    ? normActivationLayer(context, block.depthwise, {
      norm: block.expand.norm,
      activation: "relu6",
      input: applyLayer(context, block.expand.conv, x),
    })
    : applyLayer(context, block.depthwise, x);
  const narrow = normActivationLayer(context, block.project, {
    norm: block.depthwiseNorm,
    activation: "relu6",
    input: spread,
  });
  const y = normalise(context, block.projectNorm, { input: narrow }); // linear bottleneck: no activation
  return block.residual ? tf.add(x, y) : y;
}

/** Properties in which the forms differ. */
interface Variant {
  readonly name: string;
  readonly width: number;
  /** Stride of the stem and of stage 2. */
  readonly earlyStride: number;
}

function build(variant: Variant, options: ModelOptions): Model {
  const builder = new ModelBuilder(), stemChannels = scaled(STEM_CHANNELS, variant.width);
  const stem = builder.layer("stem/conv", {
    inChannels: options.imageChannels,
    outChannels: stemChannels,
    kernelSize: 3,
    stride: variant.earlyStride,
    position: "first",
    inputSigned: true,
  });
  const stemNorm = builder.norm("stem/norm", stemChannels);
  let channels = stemChannels, reduction = variant.earlyStride;
  const blocks = STAGES.flatMap((stage, i) =>
    Array.from({ length: stage.repeats }, (_, j) => {
      const out = scaled(stage.channels, variant.width), first = i === 1 ? variant.earlyStride : stage.stride;
      const stride = j === 0 ? first : 1;
      const block = invertedResidual(builder, `stage${i + 1}/block${j}`, {
        in: channels,
        out,
        stride,
        expansion: stage.expansion,
        reduction,
        inputSigned: i > 0, // only the very first block comes behind an activation
      });
      channels = out;
      reduction *= stride;
      return block;
    })
  );
  const head = builder.layer("head/conv", {
    inChannels: channels,
    outChannels: HEAD_CHANNELS,
    reduction,
    inputSigned: true,
  });
  const headNorm = builder.norm("head/norm", HEAD_CHANNELS);
  const dense = builder.layer("classifier", {
    kind: "dense",
    inChannels: HEAD_CHANNELS,
    outChannels: options.classes,
    position: "last",
    inputSigned: false,
  });
  return {
    name: variant.name,
    classes: options.classes,
    layers: builder.layers,
    norms: builder.norms,
    forward(context, images) {
      let x = activate("relu6", normalise(context, stemNorm, { input: applyLayer(context, stem, images) }));
      for (const block of blocks) x = applyBlock(context, block, x);
      x = activate("relu6", normalise(context, headNorm, { input: applyLayer(context, head, x) }));
      const features = tf.mean(x, [1, 2]); // [batch, channels]
      return { logits: applyLayer(context, dense, features), features };
    },
  };
}

function definition(variant: Variant, form: string): ModelDefinition {
  return { name: variant.name, form, build: (options) => build(variant, options) };
}

/**
 * MobileNetV2 for 32 x 32 images: the stem and the second stage have stride 1 instead of 2, so that the last maps are 4 x 4.
 *
 * Blocks, widths and residuals as in the paper and torchvision (2,236,682 parameters with 10 classes); no dropout, as
 * quantization-aware training starts from trained weights. The form of kuangliu/pytorch-cifar has 60,240 parameters more: 1 x 1
 * shortcuts where a block of stride 1 changes its channels, and an expansion of factor 1 in the first block.
 *
 * @see Sandler et al., CVPR 2018, arXiv:1801.04381, table 2
 */
export const mobilenetV2 = definition(
  { name: "mobilenetv2", width: 1, earlyStride: 1 },
  "CIFAR form: stem and stage 2 of stride 1, width 1.0",
);

/**
 * The same at width 0.35, the narrowest of the paper: for protocols of hours instead of days. All channels but those of the
 * last convolution are scaled (section 3.4 of the paper); stem 16, stages 8-8-16-24-32-56-112.
 */
export const mobilenetV2Narrow = definition(
  { name: "mobilenetv2_narrow", width: 0.35, earlyStride: 1 },
  "CIFAR form: stem and stage 2 of stride 1, width 0.35 (the last convolution keeps 1,280 channels)",
);

/** torchvision's name of a layer or norm: its blocks are numbered through, behind the stem. */
function torchvisionName(path: string): string {
  const outer: Record<string, string> = {
    "stem/conv": "features.0.0",
    "stem/norm": "features.0.1",
    "head/conv": "features.18.0",
    "head/norm": "features.18.1",
    classifier: "classifier.1",
  };
  if (path in outer) return outer[path]!;
  const [, stage, block, part] = path.match(/^stage(\d+)\/block(\d+)\/(\w+)$/)!;
  const before = STAGES.slice(0, Number(stage) - 1).reduce((sum, { repeats }) => sum + repeats, 0);
  // layers with a relu6 behind their norm are pairs of their own, the projection and its norm are not
  const pairs = stage === "1" ? ["depthwise"] : ["expand", "depthwise"],
    pair = pairs.indexOf(part!.replace("_norm", ""));
  const isNorm = part!.endsWith("_norm") ? 1 : 0;
  return `features.${1 + before + Number(block)}.conv.${pair < 0 ? pairs.length + isNorm : `${pair}.${isNorm}`}`;
}

/**
 * MobileNetV2 as torchvision has it, with the strides of the paper; without its dropout, as above. torchvision's names:
 *
 *   stem/conv features.0.0, stem/norm features.0.1, head/conv features.18.0, head/norm features.18.1, classifier classifier.1
 *   the 17 blocks: features.1.conv. to features.17.conv.; in the first, without expansion, the numbers are one lower
 *   expand 0.0, expand_norm 0.1, depthwise 1.0, depthwise_norm 1.1, project 2, project_norm 3
 *
 * @see Sandler et al., CVPR 2018, arXiv:1801.04381, table 2; torchvision 0.28, torchvision/models/mobilenetv2.py
 */
export const mobilenetV2ImageNet: ModelDefinition = {
  ...definition(
    { name: "mobilenetv2_imagenet", width: 1, earlyStride: 2 },
    "ImageNet form: table 2 of the paper, width 1.0",
  ),
  foreign: { source: "torchvision 0.28, mobilenet_v2", module: torchvisionName },
};
