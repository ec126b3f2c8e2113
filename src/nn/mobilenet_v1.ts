import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { relu } from "../engine/ops.ts";
import { ModelBuilder } from "./builder.ts";
import { applyLayer, normActivationLayer, normalise } from "./layers.ts";
import type { Layer, Model, ModelDefinition, ModelOptions, Norm } from "./types.ts";

/** Output channels and stride of each depthwise separable convolution (table 1 of the paper). */
const BLOCKS = [
  { channels: 64, stride: 1 },
  { channels: 128, stride: 2 },
  { channels: 128, stride: 1 },
  { channels: 256, stride: 2 },
  { channels: 256, stride: 1 },
  { channels: 512, stride: 2 },
  ...Array.from({ length: 5 }, () => ({ channels: 512, stride: 1 })),
  { channels: 1024, stride: 2 },
  { channels: 1024, stride: 1 },
];

const STEM_CHANNELS = 32;

/** A layer and the batch norm behind it. */
interface NormedLayer {
  readonly layer: Layer;
  readonly norm: Norm;
}

/** Properties in which the forms differ. */
interface Variant {
  readonly name: string;
  readonly stemStride: number;
}

function build({ name, stemStride }: Variant, options: ModelOptions): Model {
  const builder = new ModelBuilder();
  const stem = builder.layer("stem/conv", {
    inChannels: options.imageChannels,
    outChannels: STEM_CHANNELS,
    kernelSize: 3,
    stride: stemStride,
    position: "first",
    inputSigned: true,
  });
  const stemNorm = builder.norm("stem/norm", STEM_CHANNELS);
  let channels = STEM_CHANNELS, reduction = stemStride;
  // a chain: what stands between two layers is read by the second alone
  const chain = BLOCKS.flatMap((block, i): NormedLayer[] => {
    const path = `block${i}`, inChannels = channels;
    channels = block.channels;
    const depthwise = builder.layer(`${path}/depthwise`, {
      kind: "depthwise",
      inChannels,
      outChannels: inChannels,
      kernelSize: 3,
      stride: block.stride,
      reduction,
      inputSigned: false,
    });
    reduction *= block.stride;
    const depthwiseNorm = builder.norm(`${path}/depthwise_norm`, inChannels);
    const pointwise = builder.layer(`${path}/pointwise`, {
      inChannels,
      outChannels: channels,
      reduction,
      inputSigned: false,
    });
    const pointwiseNorm = builder.norm(`${path}/pointwise_norm`, channels);
    return [{ layer: depthwise, norm: depthwiseNorm }, { layer: pointwise, norm: pointwiseNorm }];
  });
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
      let norm = stemNorm, x: Tensor = applyLayer(context, stem, images);
      for (const next of chain) {
        x = normActivationLayer(context, next.layer, { norm, activation: "relu", input: x });
        norm = next.norm;
      }
      const features = tf.mean(relu(normalise(context, norm, { input: x })), [1, 2]); // [batch, channels]
      return { logits: applyLayer(context, dense, features), features };
    },
  };
}

function definition(variant: Variant, form: string): ModelDefinition {
  return { name: variant.name, form, build: (options) => build(variant, options) };
}

/**
 * MobileNetV1 for 32 x 32 images: the paper's table 1 at width 1.0, the stem with stride 1 instead of 2, so that the last maps
 * are 2 x 2; global average pooling.
 *
 * The last block has stride 1, as everyone reads table 1 (which prints stride 2 there, but 7 x 7 maps on both sides).
 *
 * @see Howard et al. 2017, arXiv:1704.04861, table 1
 */
export const mobilenetV1 = definition(
  { name: "mobilenetv1", stemStride: 1 },
  "CIFAR form: stem of stride 1, otherwise table 1 of the paper, width 1.0",
);

/** timm's name of a layer or norm; its stages begin with the blocks of stride 2. */
function timmName(path: string): string {
  const outer: Record<string, string> = { "stem/conv": "conv_stem", "stem/norm": "bn1", classifier: "classifier" };
  const inner: Record<string, string> = {
    depthwise: "conv_dw",
    depthwise_norm: "bn1",
    pointwise: "conv_pw",
    pointwise_norm: "bn2",
  };
  if (path in outer) return outer[path]!;
  const [, block, part] = path.match(/^block(\d+)\/(\w+)$/)!, before = BLOCKS.slice(0, Number(block) + 1);
  const stage = before.filter(({ stride }) => stride === 2).length;
  const place = before.length - 1 - Math.max(0, before.findLastIndex(({ stride }) => stride === 2));
  return `blocks.${stage}.${place}.${inner[part!]}`;
}

/**
 * MobileNetV1 with the paper's stem of stride 2. torchvision has no MobileNetV1; timm's `mobilenetv1_100` has the same layers,
 * but relu6 where the paper and this file have relu. timm's names beside ours:
 *
 *   stem/conv conv_stem, stem/norm bn1, classifier classifier;  block0/ to block12/: blocks.0.0., blocks.1.0., blocks.1.1., ..
 *   depthwise conv_dw, depthwise_norm bn1, pointwise conv_pw, pointwise_norm bn2
 *
 * @see Howard et al. 2017, arXiv:1704.04861, table 1; timm 1.0.31, timm/models/efficientnet.py, `_gen_mobilenet_v1`
 */
export const mobilenetV1ImageNet: ModelDefinition = {
  ...definition({ name: "mobilenetv1_imagenet", stemStride: 2 }, "ImageNet form: table 1 of the paper, width 1.0"),
  foreign: { source: "timm 1.0.31, mobilenetv1_100 with relu", module: timmName },
};
