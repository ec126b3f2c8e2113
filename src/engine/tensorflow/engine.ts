/** The fast engine: tfjs-node's kernels over libtensorflow. */
import { createRequire } from "node:module";
import { join } from "node:path";
import util from "node:util";
import * as tf from "@tensorflow/tfjs-core";
import { openCusolver } from "../cuda.ts";
import { cudaFolder } from "../locate.ts";
import { registerGradients } from "../ops.ts";
import { InputError } from "../../errors.ts";
import type { Engine, Precision } from "../types.ts";
import { Binding } from "./binding.ts";
import type { NodeBackend } from "./chain.ts";
import { BACKEND, compile } from "./compile.ts";
import { registerKernels } from "./kernels.ts";
import { repeat } from "./repeat.ts";
import { Runtime } from "./runtime.ts";

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
  /** @default 1 */
  readonly threads?: number;
  /** @default tf32 if NVIDIA_TF32_OVERRIDE is 1 and there is a GPU, else float32 */
  readonly precision?: Precision;
}

let opened: Engine | null = null;

/**
 * Opens libtensorflow and makes it tfjs's backend. A process opens it once; later calls return the same engine and make
 * it current again.
 * @throws {InputError} If the library cannot be opened or is of another version.
 */
export function openTensorFlowEngine(options: TensorFlowOptions): Engine {
  const { threads = 1 } = options;
  if (opened) {
    requirePrecision(opened, options.precision);
    void tf.setBackend(BACKEND); // synchronous, as the backend exists
    return opened;
  }
  // off by default on processors without AVX-512, where it still makes a training step 1.8 times faster
  if (!Deno.env.has("TF_ENABLE_ONEDNN_OPTS")) Deno.env.set("TF_ENABLE_ONEDNN_OPTS", "1");
  if (!Deno.env.has("TF_CPP_MIN_LOG_LEVEL")) Deno.env.set("TF_CPP_MIN_LOG_LEVEL", "2");
  // cuBLAS and cuDNN read this: 0 forbids TF32. TensorFlow has a switch of its own, which `Runtime` sets
  const asked = Deno.env.get("NVIDIA_TF32_OVERRIDE"),
    wanted = options.precision ?? (asked === "1" ? "tf32" : "float32");
  if (wanted === "float32") Deno.env.set("NVIDIA_TF32_OVERRIDE", "0");
  else if (asked === "0") {
    throw new InputError(
      "Cannot compute in TF32 as NVIDIA_TF32_OVERRIDE is 0: unset it, or take --precision float32",
    );
  }
  // else a process takes nearly all of a GPU's memory, and a second one finds none
  if (!Deno.env.has("TF_FORCE_GPU_ALLOW_GROWTH")) Deno.env.set("TF_FORCE_GPU_ALLOW_GROWTH", "true");
  const cuda = cudaFolder(options.library), xlaFlags = Deno.env.get("XLA_FLAGS") ?? "";
  if (cuda && !xlaFlags.includes("xla_gpu_cuda_data_dir")) {
    // XLA assembles its kernels with ptxas and libdevice
    Deno.env.set("XLA_FLAGS", `${xlaFlags} --xla_gpu_cuda_data_dir=${join(cuda, "cuda_nvcc")}`.trim());
  }
  if (cuda) openCusolver(cuda);
  const runtime = new Runtime(options.library, { threads, precision: wanted });
  const binding = new Binding(runtime), backend = loadBackend(binding);
  tf.registerBackend(BACKEND, () => backend as unknown as tf.KernelBackend, 3);
  void tf.setBackend(BACKEND); // synchronous, as the backend exists
  const device = runtime.gpu ? "gpu" : "cpu", tf32 = runtime.tf32 ? "on" : "off";
  const precision = runtime.tf32 ? "tf32" as const : "float32" as const,
    parts = { binding, backend, device, precision } as const;
  registerGradients();
  registerKernels(backend, () => tf.tensor1d([]));
  opened = {
    name: "tensorflow",
    description: `libtensorflow ${runtime.version} (${options.source}), ${device.toUpperCase()}` +
      `${runtime.gpu ? ` (TF32 ${tf32})` : ""}, ` +
      `${threads} thread${threads === 1 ? "" : "s"}`,
    versions: {
      libtensorflow: runtime.version,
      tfjs: tf.version_core,
      deno: Deno.version.deno,
      ...(runtime.gpu ? { tf32 } : {}),
    },
    device,
    threads,
    precision,
    compile: (program, compileOptions) => compile(parts, program, compileOptions ?? {}),
    loops: {
      repeat: (step, repeatOptions) => repeat(parts, step, repeatOptions),
      bytes: (values, shape) => backend.createOutputTensor(binding.createBytes([...shape], values)),
    },
  };
  requirePrecision(opened, options.precision);
  return opened;
}

/** @throws {InputError} If the engine, which a process opens once, does not multiply as asked. */
function requirePrecision(engine: Engine, precision: Precision | undefined): void {
  if (precision === undefined || precision === engine.precision) return;
  throw new InputError(
    `Cannot compute in ${precision} as engine tensorflow ${
      engine.device === "cpu"
        ? "found no GPU: use a machine with one"
        : `computes in ${engine.precision} in this process`
    }, or take --precision float32`,
  );
}
