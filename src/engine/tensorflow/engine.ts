/** The fast engine: tfjs-node's kernels over libtensorflow, and programs recorded into TensorFlow functions. */
import { createRequire } from "node:module";
import { join } from "node:path";
import util from "node:util";
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import { flatten, mapTree } from "../../tree.ts";
import { cudaFolder } from "../locate.ts";
import { registerGradients } from "../ops.ts";
import type { Compiled, CompileOptions, Engine, Program, TensorTree } from "../types.ts";
import { Binding } from "./binding.ts";
import type { NodeBackend } from "./chain.ts";
import { registerKernels } from "./kernels.ts";
import { Runtime } from "./runtime.ts";

const BACKEND = "tensorflow";

/** A recorded program: the function's name and what it gives. */
interface Recorded {
  readonly name: string;
  readonly outputs: readonly { shape: number[]; dtype: number }[];
  readonly structure: TensorTree;
}

/** Loads tfjs-node-gpu's kernels and backend class (JavaScript only: its native add-on is not there and not needed). */
function loadBackend(binding: Binding): NodeBackend {
  // tfjs-node 4.22 calls two helpers that Node 23 and Deno have dropped
  const helpers = util as unknown as Record<string, unknown>;
  helpers.isNullOrUndefined ??= (value: unknown) => value === null || value === undefined;
  helpers.isArray ??= Array.isArray;
  const require = createRequire(import.meta.url);
  require("@tensorflow/tfjs-node-gpu/dist/register_all_kernels.js");
  const { NodeJSKernelBackend } = require("@tensorflow/tfjs-node-gpu/dist/nodejs_kernel_backend.js");
  return new NodeJSKernelBackend(binding, "@tensorflow/tfjs-node-gpu");
}

/** Options of `openTensorFlowEngine`. */
export interface TensorFlowOptions {
  /** Path of libtensorflow_cc. */
  readonly library: string;
  /** Where it was found, for people. */
  readonly source: string;
  readonly threads: number;
}

let opened: Engine | null = null;

/**
 * Opens libtensorflow and makes it tfjs's backend. A process opens it once; later calls return the same engine and make
 * it current again.
 * @throws {InputError} If the library cannot be opened or is of another version.
 */
export function openTensorFlowEngine(options: TensorFlowOptions): Engine {
  if (opened) {
    void tf.setBackend(BACKEND); // synchronous, as the backend exists
    return opened;
  }
  // off by default on processors without AVX-512, where it still makes a training step 1.8 times faster
  if (!Deno.env.has("TF_ENABLE_ONEDNN_OPTS")) Deno.env.set("TF_ENABLE_ONEDNN_OPTS", "1");
  if (!Deno.env.has("TF_CPP_MIN_LOG_LEVEL")) Deno.env.set("TF_CPP_MIN_LOG_LEVEL", "2");
  // what cuBLAS and cuDNN go by; `Runtime` sets TensorFlow's own switch
  if (!Deno.env.has("NVIDIA_TF32_OVERRIDE")) Deno.env.set("NVIDIA_TF32_OVERRIDE", "0");
  // else a process takes nearly all of a GPU's memory, and a second one finds none
  if (!Deno.env.has("TF_FORCE_GPU_ALLOW_GROWTH")) Deno.env.set("TF_FORCE_GPU_ALLOW_GROWTH", "true");
  const cuda = cudaFolder(options.library), xlaFlags = Deno.env.get("XLA_FLAGS") ?? "";
  if (cuda && !xlaFlags.includes("xla_gpu_cuda_data_dir")) {
    // XLA assembles its kernels with ptxas and libdevice
    Deno.env.set("XLA_FLAGS", `${xlaFlags} --xla_gpu_cuda_data_dir=${join(cuda, "cuda_nvcc")}`.trim());
  }
  const runtime = new Runtime(options.library, options.threads);
  const binding = new Binding(runtime), backend = loadBackend(binding);
  tf.registerBackend(BACKEND, () => backend as unknown as tf.KernelBackend, 3);
  void tf.setBackend(BACKEND); // synchronous, as the backend exists
  const device = runtime.gpu ? "gpu" : "cpu", tf32 = runtime.tf32 ? "on" : "off";
  registerGradients();
  registerKernels(backend, () => tf.tensor1d([]));
  opened = {
    name: "tensorflow",
    description: `libtensorflow ${runtime.version} (${options.source}), ${device.toUpperCase()}` +
      `${runtime.gpu ? ` (TF32 ${tf32})` : ""}, ` +
      `${options.threads} thread${options.threads === 1 ? "" : "s"}`,
    versions: {
      libtensorflow: runtime.version,
      tfjs: tf.version_core,
      deno: Deno.version.deno,
      ...(runtime.gpu ? { tf32 } : {}),
    },
    device,
    threads: options.threads,
    compile: (program, compileOptions) => compile({ binding, backend, device }, program, compileOptions ?? {}),
  };
  return opened;
}

interface Parts {
  readonly binding: Binding;
  readonly backend: NodeBackend;
  readonly device: "cpu" | "gpu";
}

let functions = 0;

function compile<In extends TensorTree, Out extends TensorTree>(
  parts: Parts,
  program: Program<In, Out>,
  options: CompileOptions,
): Compiled<In, Out> {
  const { binding, backend } = parts, xla = options.xla ?? parts.device === "gpu", limit = options.signatures ?? 8;
  const cache = new Map<string, Recorded>();
  if (!(limit >= 1)) {
    throw new RangeError(`Cannot compile a program as signatures must be at least 1: current value is ${limit}`);
  }

  function recordedFor(inputs: In, leaves: readonly [string, Tensor][]): Recorded {
    // the whole structure, as a node without leaves is part of it
    const signature = JSON.stringify(mapTree<Tensor, string>(inputs, ({ dtype, shape }) => `${dtype}[${shape}]`));
    let recorded = cache.get(signature);
    if (recorded) cache.delete(signature);
    else recorded = record(parts, program, { inputs, leaves, xla });
    cache.set(signature, recorded);
    if (cache.size > limit) {
      const [oldest, { name }] = cache.entries().next().value!;
      cache.delete(oldest);
      binding.undefine(name);
    }
    return recorded;
  }

  const call = (inputs: In): Out => {
    binding.requireNoRecording();
    if (tf.getBackend() !== BACKEND) void tf.setBackend(BACKEND);
    const leaves = flatten<Tensor>(inputs);
    for (const [path, tensor] of leaves) requireOwn(backend, tensor, path);
    const { name, outputs, structure } = recordedFor(inputs, leaves);
    const ids = backend.getInputTensorIds(leaves.map(([, tensor]) => tensor));
    const results = binding.run(name, [], { inputs: ids, outputs: outputs.length, known: outputs });
    let next = 0;
    return mapTree(structure, () => backend.createOutputTensor(results[next++]!)) as Out;
  };
  return Object.assign(call, {
    dispose() {
      for (const { name } of cache.values()) binding.undefine(name);
      cache.clear();
    },
  });
}

function requireOwn(backend: NodeBackend, tensor: Tensor, path: string): void {
  const { tensorInfo } = tf.engine().state, owner = tensor.isDisposed ? null : tensorInfo.get(tensor.dataId)?.backend;
  if (owner === (backend as unknown)) return;
  const name = path.replaceAll("\u0000", "/");
  throw new Error(
    `Cannot run a program with input "${name}" as ${owner ? "it is a tensor of another engine" : "it was disposed"}: ` +
      "make it while this engine is the current one",
  );
}

/** A shape that depends on values is unknown while recording; TensorFlow tells -1. */
function requireKnownShape({ shape }: Tensor, path: string): void {
  if (shape.every((size) => size >= 0)) return;
  const output = path === "" ? "its output" : `output "${path.replaceAll("\u0000", "/")}"`;
  throw new Error(
    `Cannot compile a program as the shape of ${output} must be known before it runs: current value is [${shape}]; ` +
      "return a tensor whose shape does not depend on values",
  );
}

/** Runs the program once with placeholders, recording every kernel call. */
function record<In extends TensorTree, Out extends TensorTree>(
  { binding, backend }: Parts,
  program: Program<In, Out>,
  how: { inputs: In; leaves: readonly [string, Tensor][]; xla: boolean },
): Recorded {
  const name = `requant_${functions++}`;
  binding.startRecording(how.xla);
  try {
    return tf.tidy(() => {
      const placeholders = how.leaves.map(([, tensor]) =>
        binding.placeholder(tensor.shape, backend.getDTypeInteger(tensor.dtype))
      );
      let next = 0;
      const inputs = mapTree(how.inputs as TensorTree, () => backend.createOutputTensor(placeholders[next++]!)) as In;
      const structure = program(inputs);
      const results = flatten<Tensor>(structure), tensors = results.map(([, tensor]) => tensor);
      for (const [path, tensor] of results) requireKnownShape(tensor, path);
      binding.define(name, {
        inputs: placeholders.map(({ id }) => id),
        outputs: backend.getInputTensorIds(tensors),
      });
      const outputs = tensors.map((tensor) => ({ shape: tensor.shape, dtype: backend.getDTypeInteger(tensor.dtype) }));
      return { name, outputs, structure: mapTree<Tensor, null>(structure, () => null) as unknown as TensorTree };
    }) as unknown as Recorded;
  } finally {
    binding.stopRecording();
  }
}
