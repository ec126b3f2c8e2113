/**
 * The engine that npm alone brings: tfjs's WebAssembly backend with SIMD, on one thread, programs run eagerly.
 *
 * Its arithmetic is fixed (no relaxed SIMD, no threads, our kernels in plain float64 loops), so a run gives the same bytes
 * on every machine.
 */
import "@tensorflow/tfjs"; // for its side effect: tfjs-core comes without gradients
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { type BackendWasm, setThreadsCount, setWasmPaths, version_wasm } from "@tensorflow/tfjs-backend-wasm";
import { fileURLToPath } from "node:url";
import { flatten, mapTree } from "../../tree.ts";
import { registerGradients } from "../ops.ts";
import type { Compiled, Engine, Program, TensorTree } from "../types.ts";
import { guardHeap, type Heap } from "./heap.ts";
import { requireOwn } from "../own_tensor.ts";
import { registerKernels } from "./kernels/mod.ts";

const BACKEND = "wasm";

let opening: Promise<Engine> | null = null;

/**
 * Opens the WebAssembly backend and makes it tfjs's current one. A process opens it once; later calls return the same
 * engine and make it current again.
 * @throws {Error} If the backend cannot start.
 */
export async function openWasmEngine(): Promise<Engine> {
  opening ??= open();
  const engine = await opening;
  await tf.setBackend(BACKEND);
  return engine;
}

async function open(): Promise<Engine> {
  setWasmPaths(fileURLToPath(new URL("./", import.meta.resolve("@tensorflow/tfjs-backend-wasm"))));
  setThreadsCount(1);
  tf.env().set("WASM_HAS_MULTITHREAD_SUPPORT", false);
  tf.env().set("WASM_HAS_SIMD_SUPPORT", true);
  if (!await tf.setBackend(BACKEND)) {
    throw new Error("Cannot open engine wasm as its WebAssembly module did not start: use Deno 2.9 or newer");
  }
  guardHeap((tf.backend() as BackendWasm).wasm as unknown as Heap);
  registerGradients();
  registerKernels();
  return {
    name: "wasm",
    description: `tfjs-backend-wasm ${version_wasm}, CPU (WebAssembly SIMD), 1 thread`,
    versions: {
      "tfjs-backend-wasm": version_wasm,
      tfjs: tf.version_core,
      deno: Deno.version.deno,
      v8: Deno.version.v8,
    },
    device: "cpu",
    threads: 1,
    compile,
  };
}

function compile<In extends TensorTree, Out extends TensorTree>(program: Program<In, Out>): Compiled<In, Out> {
  const call = (inputs: In): Out => {
    if (tf.getBackend() !== BACKEND) void tf.setBackend(BACKEND); // synchronous, as the backend exists
    const leaves = flatten<Tensor>(inputs);
    for (const [path, tensor] of leaves) requireOwn(tensor, path, tf.backend());
    const taken = new Set(leaves.map(([, tensor]) => tensor));
    return tf.tidy(() =>
      // the caller owns every output by itself: an input, or a tensor that comes twice, is handed out as a clone
      mapTree<Tensor, Tensor>(program(inputs), (tensor) => {
        const owned = taken.has(tensor) ? tf.clone(tensor) : tensor;
        taken.add(tensor);
        return owned;
      }) as unknown as tf.TensorContainer
    ) as unknown as Out;
  };
  return Object.assign(call, { dispose() {} });
}
