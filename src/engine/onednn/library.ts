/** oneDNN, opened by Deno FFI. */
import { InputError, messageOf } from "../../errors.ts";
import * as c from "./c_interface.ts";
import { isaName, requireKnownLimit } from "./isa.ts";
import type { Algorithm, Handle, MemoryType } from "./c_interface.ts";

const FORWARD = 64, BACKWARD = 128, DIRECT = 1, IN_ORDER = 1, CPU = 1, ANY_TAG = 1, ARG_MD = 255, MAX_POOLING = 0x1ff;

/** One operation after a primitive's own, on its result; the second operand of a binary one has this layout. */
export type PostOperation =
  | { readonly eltwise: Algorithm; readonly alpha: number; readonly beta: number }
  | { readonly binary: Algorithm; readonly layout: Handle };

/** Geometry of a convolution: strides and zero padding before and after, [height, width] each. */
export interface Geometry {
  readonly strides: readonly [number, number];
  readonly before: readonly [number, number];
  readonly after: readonly [number, number];
}

/** Geometry of a pooling. */
export type Window = Geometry & { readonly size: readonly [number, number] };

/** Attributes that change a primitive. */
export interface Attributes {
  readonly posts?: readonly PostOperation[];
  /** Scales of the weights: one for each output channel. */
  readonly weightScales?: boolean;
}

/** A batch norm's epsilon, and flags of `NORM`. */
export interface NormOptions {
  readonly epsilon: number;
  readonly flags: number;
}

/** Layouts (memory descriptors) of a convolution's tensors. */
export interface ConvolutionLayouts {
  readonly image: Handle;
  readonly weights: Handle;
  readonly result: Handle;
}

function integers(...values: number[]): BigInt64Array<ArrayBuffer> {
  return BigInt64Array.from(values, BigInt);
}

function open(path: string) {
  return Deno.dlopen(path, c.SYMBOLS).symbols;
}

/** The opened library, its engine (the CPU) and its stream. */
export class OneDnn {
  readonly version: string;
  /** The instruction set that its kernels use. */
  readonly isa: string;
  readonly #c: ReturnType<typeof open>;
  readonly #engine: Handle;
  readonly #stream: Handle;
  readonly #layouts = new Map<string, Handle>();

  /** @throws {InputError} If the library cannot be opened, is not oneDNN 3, or it may not use AVX2 or newer. */
  constructor(path: string) {
    requireKnownLimit();
    Deno.env.set("OMP_NUM_THREADS", "1"); // read by libgomp as it is loaded
    try {
      this.#c = open(path);
    } catch (error) {
      const advice = /libgomp/.test(messageOf(error))
        ? "install libgomp1 (GCC's OpenMP)"
        : "run `deno task engine install`";
      throw new InputError(
        `Cannot open oneDNN "${path}" (${messageOf(error).split("\n")[0]}): ${advice}, or take --engine wasm`,
      );
    }
    const [major, minor, patch] = new Int32Array(Deno.UnsafePointerView.getArrayBuffer(this.#c.dnnl_version()!, 12));
    this.version = `${major}.${minor}.${patch}`;
    if (major !== 3) {
      throw new InputError(`Cannot use oneDNN "${path}" as its version must be 3: current value is ${this.version}`);
    }
    this.isa = isaName(this.#c.dnnl_get_effective_cpu_isa());
    this.#engine = this.#make("the engine", (to) => this.#c.dnnl_engine_create(to, CPU, 0n));
    this.#stream = this.#make("the stream", (to) => this.#c.dnnl_stream_create(to, this.#engine, IN_ORDER));
  }

  #make(what: string, create: (to: BigUint64Array<ArrayBuffer>) => number): Handle {
    const to = new BigUint64Array(1), status = create(to);
    if (status !== 0) throw new Error(`oneDNN cannot make ${what}: status ${status}`);
    return Deno.UnsafePointer.create(to[0]!)!;
  }

  /** A gradient's descriptor wants that of the forward pass, which is not needed afterwards. */
  #withHint(forward: Handle, make: (forward: Handle) => Handle): Handle {
    try {
      return make(forward);
    } finally {
      this.freeDescriptor(forward);
    }
  }

  #layout(key: string, create: (to: BigUint64Array<ArrayBuffer>) => number): Handle {
    let layout = this.#layouts.get(key);
    if (!layout) this.#layouts.set(key, layout = this.#make(`layout ${key}`, create));
    return layout;
  }

  /** Layout of a tensor whose dimensions have these strides, in elements; kept for good. */
  strided(dims: readonly number[], strides: readonly number[], type: MemoryType): Handle {
    return this.#layout(
      `${type} ${dims} by ${strides}`,
      (to) =>
        this.#c.dnnl_memory_desc_create_with_strides(
          to,
          dims.length,
          integers(...dims),
          c.TYPE[type],
          integers(...strides),
        ),
    );
  }

  /** Row-major layout. */
  plain(dims: readonly number[], type: MemoryType): Handle {
    return this.strided(dims, dims.map((_, k) => dims.slice(k + 1).reduce((a, b) => a * b, 1)), type);
  }

  /** Layout of images [n, h, w, c], whose dimensions oneDNN names n, c, h, w. */
  images([n, h, w, c]: readonly [number, number, number, number], type: MemoryType): Handle {
    return this.strided([n, c, h, w], [h * w * c, 1, w * c, c], type);
  }

  /** Layout that a primitive chooses. */
  any(dims: readonly number[], type: MemoryType): Handle {
    return this.#layout(
      `any ${type} ${dims}`,
      (to) => this.#c.dnnl_memory_desc_create_with_tag(to, dims.length, integers(...dims), c.TYPE[type], ANY_TAG),
    );
  }

  sizeOf(layout: Handle): number {
    return Number(this.#c.dnnl_memory_desc_get_size(layout));
  }

  /** The layout that a primitive (its descriptor) wants for an argument. */
  wanted(descriptor: Handle, argument: number): Handle {
    return this.#c.dnnl_primitive_desc_query_md(descriptor, ARG_MD, argument) as Handle;
  }

  /** Memory of a layout at an address. */
  memory(layout: Handle, address: bigint): Handle {
    return this.#make(
      "memory",
      (to) => this.#c.dnnl_memory_create(to, layout, this.#engine, Deno.UnsafePointer.create(address)),
    );
  }

  freeMemory(memory: Handle): void {
    this.#c.dnnl_memory_destroy(memory);
  }

  primitive(descriptor: Handle): Handle {
    return this.#make("a primitive", (to) => this.#c.dnnl_primitive_create(to, descriptor));
  }

  freePrimitive(primitive: Handle): void {
    this.#c.dnnl_primitive_destroy(primitive);
  }

  freeDescriptor(descriptor: Handle): void {
    this.#c.dnnl_primitive_desc_destroy(descriptor);
  }

  /** Runs a primitive; `args` holds `count` pairs of argument and memory. */
  execute(primitive: Handle, count: number, args: Deno.PointerObject): void {
    const status = this.#c.dnnl_primitive_execute(primitive, this.#stream, count, args);
    if (status !== 0) throw new Error(`oneDNN cannot run a primitive: status ${status}`);
  }

  #withAttributes<T>({ posts = [], weightScales = false }: Attributes, use: (attributes: Handle | null) => T): T {
    if (posts.length === 0 && !weightScales) return use(null);
    const library = this.#c, attributes = this.#make("attributes", (to) => library.dnnl_primitive_attr_create(to));
    const operations = this.#make("post-ops", (to) => library.dnnl_post_ops_create(to));
    for (const post of posts) {
      if ("eltwise" in post) {
        library.dnnl_post_ops_append_eltwise(operations, c.ALGORITHM[post.eltwise], post.alpha, post.beta);
      } else library.dnnl_post_ops_append_binary(operations, c.ALGORITHM[post.binary], post.layout);
    }
    library.dnnl_primitive_attr_set_post_ops(attributes, operations);
    if (weightScales) library.dnnl_primitive_attr_set_scales_mask(attributes, c.ARGUMENT.weights, 1);
    try {
      return use(attributes);
    } finally {
      library.dnnl_post_ops_destroy(operations);
      library.dnnl_primitive_attr_destroy(attributes);
    }
  }

  convolution(layouts: ConvolutionLayouts, geometry: Geometry, attributes: Attributes = {}): Handle {
    const { image, weights, result } = layouts, g = geometryArguments(geometry), e = this.#engine;
    const create = this.#c.dnnl_convolution_forward_primitive_desc_create;
    return this.#withAttributes(
      attributes,
      (attr) =>
        this.#make("a convolution", (to) => create(to, e, FORWARD, DIRECT, image, weights, null, result, ...g, attr)),
    );
  }

  /** @param forward Layouts of the forward pass that oneDNN wants: in bfloat16 all of them are. */
  convolutionInputGradient(layouts: ConvolutionLayouts, geometry: Geometry, forward: ConvolutionLayouts): Handle {
    const { image, weights, result } = layouts, g = geometryArguments(geometry), e = this.#engine;
    const create = this.#c.dnnl_convolution_backward_data_primitive_desc_create;
    return this.#withHint(
      this.convolution(forward, geometry),
      (hint) =>
        this.#make(
          "a convolution's gradient by its input",
          (to) => create(to, e, DIRECT, image, weights, result, ...g, hint, null),
        ),
    );
  }

  /** @param forward As in `convolutionInputGradient`. */
  convolutionFilterGradient(layouts: ConvolutionLayouts, geometry: Geometry, forward: ConvolutionLayouts): Handle {
    const { image, weights, result } = layouts, g = geometryArguments(geometry), e = this.#engine;
    const create = this.#c.dnnl_convolution_backward_weights_primitive_desc_create;
    return this.#withHint(
      this.convolution(forward, geometry),
      (hint) =>
        this.#make(
          "a convolution's gradient by its filter",
          (to) => create(to, e, DIRECT, image, weights, null, result, ...g, hint, null),
        ),
    );
  }

  /** @param flags Of `NORM`. */
  norm(layout: Handle, { epsilon, flags }: NormOptions): Handle {
    const create = this.#c.dnnl_batch_normalization_forward_primitive_desc_create, e = this.#engine;
    return this.#make("a batch norm", (to) => create(to, e, FORWARD, layout, layout, epsilon, flags, null));
  }

  normGradient(layout: Handle, { epsilon, flags }: NormOptions): Handle {
    const create = this.#c.dnnl_batch_normalization_backward_primitive_desc_create, e = this.#engine;
    return this.#withHint(
      this.norm(layout, { epsilon, flags }),
      (hint) =>
        this.#make(
          "a batch norm's gradient",
          (to) => create(to, e, BACKWARD, layout, layout, layout, epsilon, flags, hint, null),
        ),
    );
  }

  binary(algorithm: Algorithm, layouts: readonly [Handle, Handle, Handle], attributes: Attributes = {}): Handle {
    const create = this.#c.dnnl_binary_primitive_desc_create, code = c.ALGORITHM[algorithm], e = this.#engine;
    return this.#withAttributes(
      attributes,
      (attr) => this.#make(`a binary ${algorithm}`, (to) => create(to, e, code, ...layouts, attr)),
    );
  }

  matMul([a, b, c]: readonly [Handle, Handle, Handle], attributes: Attributes = {}): Handle {
    const create = this.#c.dnnl_matmul_primitive_desc_create, e = this.#engine;
    return this.#withAttributes(
      attributes,
      (attr) => this.#make("a matrix product", (to) => create(to, e, a, b, null, c, attr)),
    );
  }

  /** Max pooling; argument `workspace` is where the maxima were in their windows. */
  maxPooling([image, result]: readonly [Handle, Handle], window: Window): Handle {
    const create = this.#c.dnnl_pooling_forward_primitive_desc_create, g = windowArguments(window), e = this.#engine;
    return this.#make("a max pooling", (to) => create(to, e, FORWARD, MAX_POOLING, image, result, ...g, null));
  }

  maxPoolingGradient(layouts: readonly [Handle, Handle], window: Window): Handle {
    const create = this.#c.dnnl_pooling_backward_primitive_desc_create, g = windowArguments(window), e = this.#engine;
    const make = (hint: Handle) =>
      this.#make("a max pooling's gradient", (to) => create(to, e, MAX_POOLING, ...layouts, ...g, hint, null));
    return this.#withHint(this.maxPooling(layouts, window), make);
  }

  reorder(from: Handle, into: Handle): Handle {
    const create = this.#c.dnnl_reorder_primitive_desc_create;
    return this.#make("a reorder", (to) => create(to, from, this.#engine, into, this.#engine, null));
  }
}

/** Strides, no dilation, and the padding before and after. */
function geometryArguments({ strides, before, after }: Geometry) {
  return [integers(...strides), integers(0, 0), integers(...before), integers(...after)] as const;
}

/** The size of the window comes second. */
function windowArguments({ size, ...geometry }: Window) {
  const [strides, ...others] = geometryArguments(geometry);
  return [strides, integers(...size), ...others] as const;
}
