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
  return layerValues(layer, { height, width }) * kernelSize ** 2 * (kind === "depthwise" ? 1 : inChannels);
}

/** Values of a layer's output for one image, of the same sides. */
export function layerValues({ kind, outChannels, reduction, stride }: Layer, { height, width }: ImageSize): number {
  const side = (length: number) => kind === "dense" ? 1 : Math.ceil(length / (reduction * stride));
  return side(height) * side(width) * outChannels;
}

/** Multiply-accumulates of a forward pass of one image. */
export function multiplyAccumulates({ layers }: Pick<Model, "layers">, image: ImageSize): number {
  return layers.reduce((sum, layer) => sum + layerMultiplyAccumulates(layer, image), 0);
}
