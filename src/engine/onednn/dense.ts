/**
 * Convolutions whose filter reaches every pixel of the image from every pixel of the result, and has taps to spare. They
 * would mostly multiply padding, so they are computed as matrix products.
 *
 * An image is one row of pixels times channels, and so is a result. The matrix between them has a block for each pair of
 * pixels: the tap that joins them.
 */
import { type ChainOperation, memoryType, postsOf } from "./chain.ts";
import { ARGUMENT, type Handle } from "./c_interface.ts";
import type { Node, Use } from "./graph.ts";
import type { Geometry } from "./library.ts";
import type { Run } from "./loops.ts";
import type { Argument, Builder } from "./builder.ts";

/** A pixel of the image, a pixel of the result, and the tap between them. */
interface Pair {
  readonly from: number;
  readonly to: number;
  readonly tap: number;
}

/** A convolution as a product. */
interface Dense {
  readonly pairs: readonly Pair[];
  readonly images: number;
  /** Channels of the image and of the result. */
  readonly channels: readonly [number, number];
  /** Pixels of the image and of the result. */
  readonly pixels: readonly [number, number];
}

/** The tensors of a convolution or of one of its gradients. */
type Tensors = Readonly<Record<"image" | "filter" | "result", Use>>;

/** Checks if an image has fewer pixels than its filter has taps. */
export function isSmall({ shape: [, h, w] }: Use, { shape: [kh, kw] }: Use): boolean {
  return h! * w! < kh! * kw!;
}

/** The product that a convolution or one of its gradients is; null: it is best computed as it is. */
export function denseOf(node: Node, { image, filter, result }: Tensors): Dense | null {
  const [images, h, w, i] = image.shape as [number, number, number, number], [, oh, ow, o] = result.shape;
  const [kh, kw] = filter.shape as [number, number];
  const isFloat = [image, filter, result].every((use) => memoryType(use) === "f32");
  if (node.kernel.startsWith("Depthwise") || !isFloat || !isSmall(image, filter)) return null;
  const { strides, before } = node.attrs["geometry"] as unknown as Geometry, pairs: Pair[] = [];
  for (let from = 0; from < h * w; from++) {
    for (let to = 0; to < oh! * ow!; to++) {
      const y = Math.floor(from / w) - Math.floor(to / ow!) * strides[0] + before[0];
      const x = from % w - (to % ow!) * strides[1] + before[1];
      if (y < 0 || y >= kh || x < 0 || x >= kw) return null; // zeros in the matrix would meet infinities
      pairs.push({ from, to, tap: y * kw + x });
    }
  }
  return { pairs, images, channels: [i, o!], pixels: [h * w, oh! * ow!] };
}

/** The matrix of a filter, and the way back. */
function matrixOf({ pairs, channels: [i, o], pixels: [from, to] }: Dense, filter: Use, builder: Builder) {
  const taps = builder.values(filter) as Float32Array, block = i * o;
  if (from === 1 && to === 1) {
    const start = pairs[0]!.tap * block; // the matrix is the tap itself
    return {
      at: builder.part(filter, 4 * start) as Argument[2],
      fill() {},
      collect() {
        taps.fill(0, 0, start);
        taps.fill(0, start + block);
      },
    };
  }
  const matrix = builder.floats(from * i * to * o), { values } = matrix, columns = to * o;
  return {
    at: matrix as Argument[2],
    fill() {
      for (const pair of pairs) {
        for (let row = 0; row < i; row++) {
          const source = pair.tap * block + row * o;
          values.set(taps.subarray(source, source + o), (pair.from * i + row) * columns + pair.to * o);
        }
      }
    },
    collect() {
      taps.fill(0);
      for (const pair of pairs) {
        for (let row = 0; row < i; row++) {
          const into = pair.tap * block + row * o, source = (pair.from * i + row) * columns + pair.to * o;
          for (let k = 0; k < o; k++) taps[into + k]! += values[source + k]!;
        }
      }
    },
  };
}

/** Layouts of all three as matrices, and of their transposes. */
function layoutsOf({ images, channels: [i, o], pixels: [from, to] }: Dense, { library }: Builder) {
  const rows = from * i, columns = to * o;
  return {
    image: library.plain([images, rows], "f32"),
    matrix: library.plain([rows, columns], "f32"),
    result: library.plain([images, columns], "f32"),
    imageTransposed: library.strided([rows, images], [1, rows], "f32"),
    matrixTransposed: library.strided([columns, rows], [1, columns], "f32"),
  };
}

/** A matrix: its layout, and where it is. */
type Operand = readonly [Handle, Argument[2]];

/** c = a b, then operations. */
function product(
  { library, primitive }: Builder,
  [a, b, c]: readonly [Operand, Operand, Operand],
  { posts, args }: ReturnType<typeof postsOf> = { posts: [], args: [] },
): Run {
  return primitive(library.matMul([a[0], b[0], c[0]], { posts }), [
    [ARGUMENT.src, ...a],
    [ARGUMENT.weights, ...b],
    [ARGUMENT.dst, ...c],
    ...args,
  ]);
}

/** y = x matrix. */
export function denseConvolution(dense: Dense, { image, filter, result }: Tensors, builder: Builder): Run {
  const layouts = layoutsOf(dense, builder), matrix = matrixOf(dense, filter, builder);
  const run = product(builder, [
    [layouts.image, image.value],
    [layouts.matrix, matrix.at],
    [layouts.result, result.value],
  ]);
  return () => {
    matrix.fill();
    run();
  };
}

/** dx = dy matrix^T, then the node's operations. */
export function denseInputGradient(node: Node, dense: Dense, { image, filter, result, builder }: Tensors & {
  readonly builder: Builder;
}): Run {
  const { library } = builder, layouts = layoutsOf(dense, builder), matrix = matrixOf(dense, filter, builder);
  const { images, channels: [channels], pixels: [pixels] } = dense, rows = pixels * channels, fills: Run[] = [];
  const operandOf = (name: string): { layout: Handle; at: Argument[2] } => {
    const use = node.inputs[name]!, { size } = use.value;
    if (size === 1) return { layout: library.plain([1, 1], memoryType(use)), at: use.value };
    if (size === images * rows) return { layout: library.plain([images, rows], memoryType(use)), at: use.value };
    const from = builder.values(use), repeated = builder.floats(rows);
    fills.push(() => {
      for (let pixel = 0; pixel < pixels; pixel++) repeated.values.set(from, pixel * channels);
    });
    return { layout: library.plain([1, rows], "f32"), at: repeated };
  };
  const operations = (node.attrs["operations"] ?? []) as unknown as ChainOperation[];
  const run = product(builder, [
    [layouts.result, result.value],
    [layouts.matrixTransposed, matrix.at],
    [layouts.image, image.value],
  ], postsOf(operations, operandOf));
  return () => {
    for (const fill of fills) fill();
    matrix.fill();
    run();
  };
}

/** dfilter: the taps' parts of x^T dy. */
export function denseFilterGradient(dense: Dense, { image, filter, result }: Tensors, builder: Builder): Run {
  const layouts = layoutsOf(dense, builder), matrix = matrixOf(dense, filter, builder);
  const run = product(builder, [
    [layouts.imageTransposed, image.value],
    [layouts.result, result.value],
    [layouts.matrix, matrix.at],
  ]);
  return () => {
    run();
    matrix.collect();
  };
}
