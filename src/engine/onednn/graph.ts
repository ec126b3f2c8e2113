/** A recorded program: kernel calls between values. */
import type { DataType, NamedAttrMap } from "@tensorflow/tfjs-core";

/** Types of a value: tfjs's, the 8-bit integers of quantized tensors, and bfloat16, whose values are bits. */
export type ValueType = "float32" | "int32" | "bool" | "u8" | "s8" | "bf16";

export type Values = Float32Array | Int32Array | Uint8Array | Int8Array | Uint16Array;

/** A tensor's data in a program. Its shape belongs to its uses, as a reshape moves no data. */
export interface Value {
  readonly type: ValueType;
  readonly size: number;
  /** Fixed values, taken when the program was recorded. */
  readonly constant?: Values;
  /** The place among the program's inputs. */
  readonly input?: number;
}

/** A value as a node sees it. */
export interface Use {
  readonly value: Value;
  readonly shape: readonly number[];
}

/** One kernel call. */
export interface Node {
  /** tfjs's kernel name, or one of `fuse.ts`. */
  readonly kernel: string;
  readonly inputs: Readonly<Record<string, Use>>;
  /** True if the kernel takes its inputs as a list. */
  readonly list?: boolean;
  readonly attrs: NamedAttrMap;
  readonly outputs: readonly Use[];
}

export interface Graph {
  readonly nodes: readonly Node[];
  readonly inputs: readonly Use[];
  readonly outputs: readonly Use[];
}

export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** A new value and its first use. */
export function makeUse(shape: readonly number[], type: ValueType, more: Partial<Value> = {}): Use {
  return { value: { type, size: sizeOf(shape), ...more }, shape };
}

const ARRAYS = {
  float32: Float32Array,
  int32: Int32Array,
  bool: Uint8Array,
  u8: Uint8Array,
  s8: Int8Array,
  bf16: Uint16Array,
} as const;

export function bytesOf(value: Value): number {
  return value.size * ARRAYS[value.type].BYTES_PER_ELEMENT;
}

export function makeValues(type: ValueType, size: number): Values {
  return new ARRAYS[type](size);
}

/** The values in `buffer` from byte `offset` on. */
export function viewOf({ type, size }: Value, buffer: ArrayBuffer, offset: number): Values {
  return new ARRAYS[type](buffer, offset, size);
}

/** The type of a tensor of tfjs. */
export function typeOf(dtype: DataType): ValueType {
  if (dtype === "float32" || dtype === "int32" || dtype === "bool") return dtype;
  throw new Error(`Cannot use a tensor of dtype ${dtype} on engine onednn: use float32, int32 or bool`);
}

/** Nodes whose results somebody uses. */
export function withoutDead(graph: Graph): Graph {
  const used = new Set(graph.outputs.map(({ value }) => value)), kept: Node[] = [];
  for (const node of graph.nodes.toReversed()) {
    if (!node.outputs.some(({ value }) => used.has(value))) continue;
    kept.push(node);
    for (const { value } of Object.values(node.inputs)) used.add(value);
  }
  return { ...graph, nodes: kept.reverse() };
}
