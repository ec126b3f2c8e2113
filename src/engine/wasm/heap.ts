/** Kernels' access to the memory of tfjs's WebAssembly backend. */
import type { Attribute, KernelFunc, NamedAttrMap, TensorInfo } from "@tensorflow/tfjs-core";
import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm";
import { InputError } from "../../errors.ts";

/** Arguments of a kernel. */
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

/** The allocator of the WebAssembly module; 0 means that there is no room. */
export interface Heap {
  _malloc(bytes: number): number;
  _free(address: number): void;
}

/** Reach of 32-bit addresses. */
const HEAP_BYTES = 2 ** 32;

/**
 * Makes `heap` refuse a tensor that it has no room for. tfjs does not look at what `_malloc` returns, and would write the
 * tensor to address 0, over data of the module itself.
 */
export function guardHeap(heap: Heap): void {
  heap._free(heap._malloc(1)); // Emscripten puts the real functions in place at their first call
  const malloc = heap._malloc;
  heap._malloc = (bytes) => {
    // a size takes 32 bits: more would wrap around to a small tensor
    const address = bytes < HEAP_BYTES ? malloc(bytes) : 0;
    if (address !== 0 || bytes === 0) return address;
    throw new InputError(
      `Cannot make a tensor of ${(bytes / 2 ** 20).toFixed(1)} MiB as engine wasm has at most 4 GiB for all tensors: ` +
        "use a smaller model or batch, or engine tensorflow",
    );
  };
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
