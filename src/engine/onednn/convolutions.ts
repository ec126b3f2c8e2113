/** Convolutions and their gradients as oneDNN primitives; layouts of small tensors (filters) are made at each run. */
import { type ChainOperation, memoryType, postsOf } from "./chain.ts";
import { denseConvolution, denseFilterGradient, denseInputGradient, denseOf } from "./dense.ts";
import { convolutionInfo } from "./shapes.ts";
import { makeUse, type Node, type Use, type Values } from "./graph.ts";
import { Held } from "./held.ts";
import { ARGUMENT, type Handle } from "./c_interface.ts";
import type { Geometry, OneDnn } from "./library.ts";
import type { Run } from "./loops.ts";
import type { Builder } from "./builder.ts";
import { planOf } from "./plan.ts";
import { attributes } from "./rewrite.ts";

type Shape4 = readonly [number, number, number, number];

/** Geometry of a convolution's node, from tfjs's attributes. */
export function geometryOf(
  kernel: string,
  { image, filter, attrs }: { image: readonly number[]; filter: readonly number[]; attrs: Node["attrs"] },
): Geometry {
  const { strideHeight, strideWidth, padInfo: { top, left, bottom, right } } = convolutionInfo(image, filter, {
    kernel,
    attrs,
  });
  return { strides: [strideHeight, strideWidth], before: [top, left], after: [bottom, right] };
}

/** Dimensions and strides, for oneDNN, of a filter [k, k, in, out], or of a depthwise [k, k, c, 1]. */
function filterLayout([h, w, i, o]: Shape4, depthwise: boolean): { dims: number[]; strides: number[] } {
  return depthwise
    ? { dims: [i, 1, 1, h, w], strides: [1, 1, 1, w * i, i] }
    : { dims: [o, i, h, w], strides: [1, o, w * i * o, i * o] };
}

function isDepthwise(node: Node): boolean {
  return node.kernel.startsWith("Depthwise");
}

function images(builder: Builder, use: Use, type = memoryType(use)): Handle {
  return builder.library.images(use.shape as unknown as Shape4, type);
}

/** y = convolution of x by the filter. */
export function convolution(node: Node, builder: Builder): Run {
  const { library } = builder, { x, filter } = node.inputs, y = node.outputs[0]!;
  const tensors = { image: x!, filter: filter!, result: y }, dense = denseOf(node, tensors);
  if (dense) return denseConvolution(dense, tensors, builder);
  const { dims, strides } = filterLayout(filter!.shape as unknown as Shape4, isDepthwise(node)),
    given = library.strided(dims, strides, "f32");
  const layouts = { image: images(builder, x!), weights: library.any(dims, "f32"), result: images(builder, y) };
  const descriptor = library.convolution(layouts, node.attrs["geometry"] as unknown as Geometry);
  const packed = packing(builder, { filter: filter!, given, wanted: library.wanted(descriptor, ARGUMENT.weights) });
  const run = builder.primitive(descriptor, [
    [ARGUMENT.src, layouts.image, x!.value],
    [ARGUMENT.weights, packed.layout, packed.at],
    [ARGUMENT.dst, layouts.result, y.value],
  ]);
  return () => {
    packed.run();
    run();
  };
}

/** Brings a filter into the layout that a primitive wants. */
function packing(
  builder: Builder,
  { filter, given, wanted }: { filter: Pick<Use, "value">; given: Handle; wanted: Handle },
) {
  const at = builder.scratch(builder.library.sizeOf(wanted));
  const run = builder.primitive(builder.library.reorder(given, wanted), [
    [ARGUMENT.src, given, filter.value],
    [ARGUMENT.dst, wanted, at],
  ]);
  // the layout belongs to a descriptor that goes: a memory of its own keeps a copy
  return { layout: wanted, at, run };
}

/**
 * y = scale of each channel * convolution of u8 integers by s8 integers, the sum exact; NaN comes in by the scale.
 *
 * With `wide` (the same input in float32, perturbed where `active` is not 0) and `filter` it is the plain convolution of
 * these where the input is perturbed or a level is no small integer.
 */
export function integerConvolution(node: Node, builder: Builder): Run {
  const { library } = builder, { x, levels } = node.inputs, y = node.outputs[0]!;
  const { dims, strides } = filterLayout(levels!.shape as unknown as Shape4, false),
    given = library.strided(dims, strides, "f32");
  const layouts = { image: images(builder, x!), weights: library.any(dims, "s8"), result: images(builder, y) };
  const descriptor = library.convolution(layouts, node.attrs["geometry"] as unknown as Geometry, {
    weightScales: true,
  });
  const packed = packing(builder, { filter: levels!, given, wanted: library.wanted(descriptor, ARGUMENT.weights) });
  const channels = y.shape.at(-1)!, scales = builder.floats(channels);
  const factors = Object.entries(node.inputs).filter(([name]) => name.startsWith("scale")).map(([, use]) =>
    builder.values(use)
  );
  const run = builder.primitive(descriptor, [
    [ARGUMENT.src, layouts.image, x!.value],
    [ARGUMENT.weights, packed.layout, packed.at],
    [ARGUMENT.dst, layouts.result, y.value],
    [ARGUMENT.weightScales, library.plain([channels], "f32"), scales],
  ]);
  const poison = builder.values(node.inputs["poison"]!),
    integers = builder.values(levels!),
    { wide, filter, active } = node.inputs;
  const plain = wide ? convolution({ ...node, inputs: { x: wide, filter: filter! } }, builder) : null;
  const largest = Math.min(node.attrs["largest"] as number, 127), noise = active ? builder.values(active) : null;
  return () => {
    if (plain && (noise?.[0] || !areLevels(integers, largest))) return plain();
    for (let c = 0; c < channels; c++) {
      let scale = 1;
      for (const factor of factors) scale = Math.fround(scale * factor[factor.length === 1 ? 0 : c]!);
      scales.values[c] = scale + poison[0]!;
    }
    if (!plain) {
      // a byte cannot be NaN
      for (let at = 0; at < integers.length; at++) {
        if (integers[at] !== integers[at]) scales.values[at % channels] = NaN;
      }
    }
    packed.run();
    run();
  };
}

/** Checks if all are whole numbers of at most this size. */
function areLevels(values: Values, largest: number): boolean {
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (value !== (value | 0) || value > largest || value < -largest) return false;
  }
  return true;
}

/** dx; at stride 1 a convolution by the turned filter, whose post-ops change dx as it is written. */
export function inputGradient(node: Node, builder: Builder): Run {
  const { library } = builder, { dy, filter } = node.inputs, dx = node.outputs[0]!;
  const depthwise = isDepthwise(node), geometry = node.attrs["geometry"] as unknown as Geometry;
  const tensors = { image: dx, filter: filter!, result: dy! }, dense = denseOf(node, tensors);
  if (dense) return denseInputGradient(node, dense, { ...tensors, builder });
  if (!depthwise && canTurn(geometry, filter!.shape)) return turnedConvolution(node, builder);
  const { dims, strides } = filterLayout(filter!.shape as unknown as Shape4, depthwise),
    given = library.strided(dims, strides, "f32");
  const layouts = {
    image: images(builder, dx),
    weights: library.any(dims, memoryType(dy!)),
    result: images(builder, dy!),
  };
  const descriptor = library.convolutionInputGradient(layouts, geometry, {
    ...layouts,
    image: images(builder, dx, memoryType(dy!)),
  });
  const packed = packing(builder, { filter: filter!, given, wanted: library.wanted(descriptor, ARGUMENT.weights) });
  const run = builder.primitive(descriptor, [
    [ARGUMENT.ddst, layouts.result, dy!.value],
    [ARGUMENT.weights, packed.layout, packed.at],
    [ARGUMENT.dsrc, layouts.image, dx.value],
  ]);
  return () => {
    packed.run();
    run();
  };
}

/** Checks whether the input's gradient is a convolution of the same padding. */
export function canTurn({ strides, before, after }: Geometry, [h, w]: readonly number[]): boolean {
  const pads = [...before, ...after], wanted = [(h! - 1) / 2, (w! - 1) / 2, (h! - 1) / 2, (w! - 1) / 2];
  return strides[0] === 1 && strides[1] === 1 && pads.every((pad, i) => pad === wanted[i]);
}

/** Channels that one vector of AVX2 holds. */
const LANES = 8;

/**
 * Checks whether images of so many channels fill the vectors of AVX2. Where they do not, oneDNN's kernel computes
 * with old bytes in a lane that nobody reads. They may be a denormal number: an Intel processor then takes 100 times as long.
 */
export function fillsLanes(channels: number): boolean {
  return channels % LANES === 0;
}

/** dx as a convolution of dy, with channels of zeros where x's do not fill the vectors. */
function turnedConvolution(node: Node, builder: Builder): Run {
  const { library } = builder, { dy, filter } = node.inputs, dx = node.outputs[0]!;
  const [h, w, i, o] = filter!.shape as unknown as Shape4, taps = h * w, from = builder.values(filter!);
  const filled = Math.ceil(i / LANES) * LANES, size = filled * o, turned = builder.floats(taps * size);
  // its output channels are x's: [k, k, i, o] read as o inputs
  const dims = [filled, o, h, w], given = library.strided(dims, [o, 1, w * size, size], "f32");
  const whole = cut(builder, dx, filled);
  const layouts = {
    image: images(builder, dy!),
    weights: library.any(dims, memoryType(dy!)),
    result: whole.layout,
  };
  const geometry = node.attrs["geometry"] as unknown as Geometry;
  const operations = (node.attrs["operations"] ?? []) as unknown as ChainOperation[];
  const { posts, args } = postsOf(operations, (name) => {
    const use = node.inputs[name]!;
    return { layout: channelLayout(builder, use, i), at: use.value };
  });
  const descriptor = library.convolution(layouts, geometry, { posts });
  const wanted = library.wanted(descriptor, ARGUMENT.weights), at = builder.scratch(library.sizeOf(wanted));
  const pack = builder.primitive(library.reorder(given, wanted), [[ARGUMENT.src, given, turned], [
    ARGUMENT.dst,
    wanted,
    at,
  ]]);
  const run = builder.primitive(descriptor, [
    [ARGUMENT.src, layouts.image, dy!.value],
    [ARGUMENT.weights, wanted, at],
    [ARGUMENT.dst, whole.layout, whole.at],
    ...args,
  ]);
  return () => {
    for (let tap = 0; tap < taps; tap++) {
      turned.values.set(from.subarray(tap * i * o, (tap + 1) * i * o), (taps - 1 - tap) * size);
    }
    pack();
    run();
    whole.run();
  };
}

/**
 * Makes room for images of more channels than a tensor has. `run` then copies the first channels into the tensor. If it has
 * as many, the room is the tensor itself.
 */
function cut(builder: Builder, to: Use, channels: number) {
  const { library } = builder, [n, h, w, own] = to.shape as unknown as Shape4;
  const layout = library.images([n, h, w, channels], memoryType(to)), dense = images(builder, to);
  if (own === channels) return { layout, at: to.value, run: () => {} };
  const at = builder.scratch(library.sizeOf(layout));
  const part = library.strided([n, own, h, w], [h * w * channels, 1, w * channels, channels], "f32");
  const run = builder.primitive(library.reorder(part, dense), [[ARGUMENT.src, part, at], [
    ARGUMENT.dst,
    dense,
    to.value,
  ]]);
  return { layout, at, run };
}

/** Layout of an operand beside images of so many channels: itself an image, a vector, or one number. */
function channelLayout({ library }: Builder, use: Use, channels: number): Handle {
  const { shape, value: { size } } = use, type = memoryType(use);
  if (size === 1) return library.plain([1, 1, 1, 1], type);
  if (size === channels) return library.plain([1, channels, 1, 1], type);
  return library.images(shape as unknown as Shape4, type);
}

/** dfilter = correlation of x and dy. */
export function filterGradient(node: Node, builder: Builder): Run {
  const { library } = builder, { x, dy } = node.inputs, dfilter = node.outputs[0]!;
  const tensors = { image: x!, filter: dfilter, result: dy! }, dense = denseOf(node, tensors);
  if (dense) return denseFilterGradient(dense, tensors, builder);
  const { dims, strides } = filterLayout(dfilter.shape as unknown as Shape4, isDepthwise(node)),
    wanted = library.strided(dims, strides, "f32");
  const layouts = { image: images(builder, x!), weights: library.any(dims, "f32"), result: images(builder, dy!) };
  const descriptor = library.convolutionFilterGradient(layouts, node.attrs["geometry"] as unknown as Geometry, {
    ...layouts,
    weights: library.any(dims, memoryType(x!)),
  });
  const own = library.wanted(descriptor, ARGUMENT.dweights), at = builder.scratch(library.sizeOf(own));
  const unpack = builder.primitive(library.reorder(own, wanted), [[ARGUMENT.src, own, at], [
    ARGUMENT.dst,
    wanted,
    dfilter.value,
  ]]);
  const run = builder.primitive(descriptor, [
    [ARGUMENT.src, layouts.image, x!.value],
    [ARGUMENT.ddst, layouts.result, dy!.value],
    [ARGUMENT.dweights, own, at],
  ]);
  return () => {
    run();
    unpack();
  };
}

/** Checks whether sums of products of whole bytes are exact on this processor: without VNNI they are not. */
export function bytesAreExact(library: OneDnn): boolean {
  const size = 64, x = makeUse([1, 1, 1, size], "u8", { input: 0 });
  const fixed = (shape: number[], values: Float32Array) => makeUse(shape, "float32", { constant: values });
  const levels = fixed([1, 1, size, size], new Float32Array(size * size).fill(127)),
    y = makeUse([1, 1, 1, size], "float32");
  const scale = fixed([], Float32Array.of(1)), poison = fixed([], Float32Array.of(0));
  const geometry: Geometry = { strides: [1, 1], before: [0, 0], after: [0, 0] };
  const node: Node = {
    kernel: "IntegerConvolution",
    inputs: { x, levels, scale, poison },
    outputs: [y],
    attrs: attributes({ geometry }),
  };
  const plan = planOf({ nodes: [node], inputs: [x], outputs: [y] }, library, integerConvolution);
  const [sums] = plan.run([new Held(new Uint8Array(size).fill(255))]);
  plan.dispose();
  return sums!.values.every((sum) => sum === 255 * 127 * size);
}
