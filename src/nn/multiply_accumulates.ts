import type { Layer, Model } from "./types.ts";

/** Height and width of an image. */
export interface ImageSize {
  readonly height: number;
  readonly width: number;
}

/**
 * Multiply-accumulates of one layer in a forward pass of one image.
 *
 *   convolution: h w k² in out;  depthwise: h w k² out;  dense: in out      (h, w: of the layer's output)
 *
 * Each stride s takes ceil(side / s) pixels, so a side behind several is ceil(side / product). A gradient pass adds twice as many:
 * as many by the weight, and as many by the input. Norms, activations and pooling count nothing.
 */
export function layerMultiplyAccumulates(layer: Layer, { height, width }: ImageSize): number {
  const { kind, kernelSize, inChannels, outChannels } = layer;
  if (kind === "dense") return inChannels * outChannels;
  const side = (length: number) => Math.ceil(length / (layer.reduction * layer.stride));
  return side(height) * side(width) * kernelSize ** 2 * outChannels * (kind === "depthwise" ? 1 : inChannels);
}

/** Multiply-accumulates of a forward pass of one image. */
export function multiplyAccumulates({ layers }: Pick<Model, "layers">, image: ImageSize): number {
  return layers.reduce((sum, layer) => sum + layerMultiplyAccumulates(layer, image), 0);
}
