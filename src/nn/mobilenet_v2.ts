import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { ModelBuilder } from "./builder.ts";
import { activate, applyLayer, normActivationLayer, normalise } from "./layers.ts";
import type { Context, Layer, Model, ModelDefinition, ModelOptions, Norm } from "./types.ts";

/** Expansion t, channels c, repeats n and first stride s of each stage (table 2 of the paper; CIFAR strides, see below). */
const STAGES = [
  { expansion: 1, channels: 16, repeats: 1, stride: 1 },
  { expansion: 6, channels: 24, repeats: 2, stride: 1 },
  { expansion: 6, channels: 32, repeats: 3, stride: 2 },
  { expansion: 6, channels: 64, repeats: 4, stride: 2 },
  { expansion: 6, channels: 96, repeats: 3, stride: 1 },
  { expansion: 6, channels: 160, repeats: 3, stride: 2 },
  { expansion: 6, channels: 320, repeats: 1, stride: 1 },
] as const;

const STEM_CHANNELS = 32, HEAD_CHANNELS = 1280;

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
  shape: { in: number; out: number; stride: number; expansion: number; inputSigned: boolean },
): InvertedResidual {
  const hidden = shape.in * shape.expansion;
  const expand = shape.expansion === 1 ? null : {
    conv: builder.layer(`${path}/expand`, {
      inChannels: shape.in,
      outChannels: hidden,
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
      inputSigned: expand === null && shape.inputSigned,
    }),
    depthwiseNorm: builder.norm(`${path}/depthwise_norm`, hidden),
    project: builder.layer(`${path}/project`, { inChannels: hidden, outChannels: shape.out, inputSigned: false }),
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

function build(options: ModelOptions): Model {
  const builder = new ModelBuilder();
  const stem = builder.layer("stem/conv", {
    inChannels: options.imageChannels,
    outChannels: STEM_CHANNELS,
    kernelSize: 3,
    position: "first",
    inputSigned: true,
  });
  const stemNorm = builder.norm("stem/norm", STEM_CHANNELS);
  let channels = STEM_CHANNELS;
  const blocks = STAGES.flatMap((stage, i) =>
    Array.from({ length: stage.repeats }, (_, j) => {
      const block = invertedResidual(builder, `stage${i + 1}/block${j}`, {
        in: channels,
        out: stage.channels,
        stride: j === 0 ? stage.stride : 1,
        expansion: stage.expansion,
        inputSigned: i > 0, // only the very first block comes behind an activation
      });
      channels = stage.channels;
      return block;
    })
  );
  const head = builder.layer("head/conv", { inChannels: channels, outChannels: HEAD_CHANNELS, inputSigned: true });
  const headNorm = builder.norm("head/norm", HEAD_CHANNELS);
  const dense = builder.layer("classifier", {
    kind: "dense",
    inChannels: HEAD_CHANNELS,
    outChannels: options.classes,
    position: "last",
    inputSigned: false,
  });
  return {
    name: "mobilenetv2",
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

/**
 * MobileNetV2 for 32 x 32 images: the stem and the second stage have stride 1 instead of 2, so that the last maps are 4 x 4.
 *
 * Blocks, widths and residuals as in the paper and torchvision (2,236,682 parameters with 10 classes); no dropout, as
 * quantization-aware training starts from trained weights.
 *
 * @see Sandler et al., CVPR 2018, arXiv:1801.04381, table 2
 */
export const mobilenetV2: ModelDefinition = {
  name: "mobilenetv2",
  form: "CIFAR form: stem and stage 2 of stride 1, width 1.0",
  build,
};
