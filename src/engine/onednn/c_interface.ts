/** oneDNN's C interface (oneapi/dnnl/dnnl.h and dnnl_types.h, version 3): the functions that the engine calls, and constants. */

const p = "pointer", b = "buffer", i = "i32", f = "f32", u = "usize";
/** Functions of the system's libraries: rounding (libm) and advice on memory (libc). */
export const MATH_SYMBOLS = { fesetround: { parameters: [i], result: i } } as const;
export const MEMORY_SYMBOLS = { madvise: { parameters: [p, u, i], result: i } } as const;

export const SYMBOLS = {
  dnnl_version: { parameters: [], result: p },
  dnnl_get_effective_cpu_isa: { parameters: [], result: i },
  dnnl_engine_create: { parameters: [b, i, u], result: i },
  dnnl_stream_create: { parameters: [b, p, "u32"], result: i },
  dnnl_memory_desc_create_with_strides: { parameters: [b, i, b, i, b], result: i },
  dnnl_memory_desc_create_with_tag: { parameters: [b, i, b, i, i], result: i },
  dnnl_memory_desc_get_size: { parameters: [p], result: u },
  dnnl_memory_create: { parameters: [b, p, p, p], result: i },
  dnnl_memory_destroy: { parameters: [p], result: i },
  dnnl_primitive_create: { parameters: [b, p], result: i },
  dnnl_primitive_destroy: { parameters: [p], result: i },
  dnnl_primitive_desc_destroy: { parameters: [p], result: i },
  dnnl_primitive_desc_query_md: { parameters: [p, i, i], result: p },
  dnnl_primitive_execute: { parameters: [p, p, i, p], result: i },
  dnnl_primitive_attr_create: { parameters: [b], result: i },
  dnnl_primitive_attr_destroy: { parameters: [p], result: i },
  dnnl_primitive_attr_set_scales_mask: { parameters: [p, i, i], result: i },
  dnnl_primitive_attr_set_post_ops: { parameters: [p, p], result: i },
  dnnl_post_ops_create: { parameters: [b], result: i },
  dnnl_post_ops_destroy: { parameters: [p], result: i },
  dnnl_post_ops_append_eltwise: { parameters: [p, i, f, f], result: i },
  dnnl_post_ops_append_binary: { parameters: [p, i, p], result: i },
  dnnl_reorder_primitive_desc_create: { parameters: [b, p, p, p, p, p], result: i },
  dnnl_convolution_forward_primitive_desc_create: { parameters: [b, p, i, i, p, p, p, p, b, b, b, b, p], result: i },
  dnnl_convolution_backward_data_primitive_desc_create: {
    parameters: [b, p, i, p, p, p, b, b, b, b, p, p],
    result: i,
  },
  dnnl_convolution_backward_weights_primitive_desc_create: {
    parameters: [b, p, i, p, p, p, p, b, b, b, b, p, p],
    result: i,
  },
  dnnl_batch_normalization_forward_primitive_desc_create: { parameters: [b, p, i, p, p, f, "u32", p], result: i },
  dnnl_batch_normalization_backward_primitive_desc_create: {
    parameters: [b, p, i, p, p, p, f, "u32", p, p],
    result: i,
  },
  dnnl_binary_primitive_desc_create: { parameters: [b, p, i, p, p, p, p], result: i },
  dnnl_pooling_forward_primitive_desc_create: { parameters: [b, p, i, i, p, p, b, b, b, b, b, p], result: i },
  dnnl_pooling_backward_primitive_desc_create: { parameters: [b, p, i, p, p, b, b, b, b, b, p, p], result: i },
  dnnl_matmul_primitive_desc_create: { parameters: [b, p, p, p, p, p, p], result: i },
} as const;

/** An object of the library. */
export type Handle = Deno.PointerObject;

/** Data types of memory (dnnl_data_type_t). */
export const TYPE = { bf16: 2, f32: 3, s32: 4, s8: 5, u8: 6 } as const;
export type MemoryType = keyof typeof TYPE;

/** Algorithms (dnnl_alg_kind_t). */
export const ALGORITHM = {
  relu: 0x20,
  abs: 0x24,
  linear: 0x26,
  clip: 0x2e,
  add: 0x1fff0,
  mul: 0x1fff1,
  max: 0x1fff2,
  min: 0x1fff3,
  div: 0x1fff4,
  sub: 0x1fff5,
  ge: 0x1fff6,
  gt: 0x1fff7,
  le: 0x1fff8,
  lt: 0x1fff9,
  eq: 0x1fffa,
} as const;
export type Algorithm = keyof typeof ALGORITHM;

/** Arguments of a primitive (DNNL_ARG_*). */
export const ARGUMENT = {
  src: 1,
  src1: 2,
  dst: 17,
  weights: 33,
  mean: 49,
  variance: 50,
  scale: 51,
  shift: 52,
  workspace: 64,
  dsrc: 129,
  ddst: 145,
  dweights: 161,
  dscale: 255,
  dshift: 256,
  weightScales: 4096 | 33,
  /** Second operand of post-op `k`. */
  post: (k: number) => 32768 * (k + 1) | 2,
} as const;

/** Flags of batch norm (dnnl_normalization_flags_t). */
export const NORM = { scale: 2, shift: 4 } as const;
