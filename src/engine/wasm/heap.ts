/** Kernels' access to the memory of tfjs's WebAssembly backend. */
import type { Attribute, KernelFunc, NamedAttrMap, TensorInfo } from "@tensorflow/tfjs-core";
import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm";

/** What a kernel is given. */
export interface KernelArguments {
  readonly inputs: Readonly<Record<string, TensorInfo>>;
  readonly attrs: NamedAttrMap;
  readonly backend: BackendWasm;
}

/** A kernel of the wasm backend. */
export type WasmKernel = (given: KernelArguments) => TensorInfo | TensorInfo[];

/** A kernel as tfjs wants it typed. */
export function asKernelFunc(kernel: WasmKernel): KernelFunc {
  return kernel as unknown as KernelFunc;
}

/** A float32 tensor of this shape, its values undefined. */
export function makeFloats(backend: BackendWasm, shape: readonly number[]): TensorInfo {
  return backend.makeOutput([...shape], "float32");
}

/**
 * The values of a float32 tensor, in place.
 *
 * The memory moves when it grows: take views after the last allocation, and never keep one.
 */
export function floatsOf(backend: BackendWasm, tensor: TensorInfo): Float32Array {
  return backend.typedArrayFromHeap(tensor) as Float32Array;
}

/** The values of an int32 tensor, or the bits of a float32 one, in place; see `floatsOf`. */
export function integersOf(backend: BackendWasm, tensor: TensorInfo): Int32Array {
  return backend.typedArrayFromHeap({ dataId: tensor.dataId, shape: tensor.shape, dtype: "int32" }) as Int32Array;
}

/** A numeric attribute. */
export function numberOf(attribute: Attribute | undefined): number {
  return attribute as number;
}

/**
 * A window on memory that belongs to another tensor, `offset` elements after its start, for kernels to read.
 *
 * It must go by `dropWindow` before the tensor does: `disposeData` would free memory that is not its own.
 */
export function openWindow(
  backend: BackendWasm,
  tensor: TensorInfo,
  { offset, shape }: { readonly offset: number; readonly shape: readonly number[] },
): TensorInfo {
  const start = backend.getMemoryOffset(tensor.dataId) + offset * Float32Array.BYTES_PER_ELEMENT;
  return backend.makeOutput([...shape], "float32", start);
}

/** Forgets a window without freeing memory. */
export function dropWindow(backend: BackendWasm, window: TensorInfo): void {
  const wasm = backend.wasm as unknown as { tfjs: { disposeData(id: number): void } };
  wasm.tfjs.disposeData(backend.dataIdMap.get(window.dataId).id);
  backend.dataIdMap.delete(window.dataId);
}
