/** The geometry of a convolution from the attributes of tfjs's gradient kernels. */
import { backend_util, type NamedAttrMap } from "@tensorflow/tfjs-core";

/** One axis of a convolution: output o reads inputs stride * o + tap - padding, tap < taps. */
export interface Axis {
  readonly inputs: number;
  readonly outputs: number;
  readonly taps: number;
  readonly stride: number;
  /** Zeros before the first input. */
  readonly padding: number;
}

/** A two-dimensional convolution of NHWC images. */
export interface Geometry {
  readonly batch: number;
  readonly channels: number;
  readonly outChannels: number;
  readonly height: Axis;
  readonly width: Axis;
}

/**
 * @param shapes The images [n, h, w, c] and the filter [kh, kw, c, out] (or [kh, kw, c, 1] when depthwise).
 * @throws {RangeError} If it is dilated or not NHWC.
 */
export function geometryOf(
  shapes: { readonly x: readonly number[]; readonly filter: readonly number[] },
  attrs: NamedAttrMap,
  options: { readonly depthwise?: boolean } = {},
): Geometry {
  const dilations = (attrs.dilations ?? 1) as number | [number, number];
  const info = backend_util.computeConv2DInfo(
    [...shapes.x] as [number, number, number, number],
    [...shapes.filter] as [number, number, number, number],
    attrs.strides as number | [number, number],
    dilations,
    attrs.pad as "same" | "valid",
    attrs.dimRoundingMode as "floor" | undefined,
    options.depthwise ?? false,
  );
  if (info.dilationHeight !== 1 || info.dilationWidth !== 1 || (attrs.dataFormat ?? "NHWC") !== "NHWC") {
    throw new RangeError(
      "Cannot differentiate a convolution on engine wasm as it must be NHWC without dilation: " +
        `current layout is ${attrs.dataFormat ?? "NHWC"}, current dilation is ${dilations}`,
    );
  }
  const { inHeight, inWidth, outHeight, outWidth, filterHeight, filterWidth, strideHeight, strideWidth } = info;
  return {
    batch: info.batchSize,
    channels: info.inChannels,
    outChannels: info.outChannels,
    height: {
      inputs: inHeight,
      outputs: outHeight,
      taps: filterHeight,
      stride: strideHeight,
      padding: info.padInfo.top,
    },
    width: { inputs: inWidth, outputs: outWidth, taps: filterWidth, stride: strideWidth, padding: info.padInfo.left },
  };
}

/** @throws {RangeError} If a depthwise filter [kh, kw, c, multiplier] has a multiplier other than 1. */
export function requireOneFilterAChannel(filterShape: readonly number[]): void {
  if (filterShape[3] === 1) return;
  throw new RangeError(
    "Cannot differentiate a depthwise convolution on engine wasm as it must have one filter a channel: " +
      `current number is ${filterShape[3]}`,
  );
}
