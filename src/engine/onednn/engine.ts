/** The engine on oneDNN's own library: programs recorded into lists of primitives over planned memory. */
import "@tensorflow/tfjs"; // for its side effect: tfjs-core comes without gradients, and the CPU kernels
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor, TensorInfo } from "@tensorflow/tfjs-core";
import { flatten, mapTree } from "../../tree.ts";
import { registerGradients } from "../ops.ts";
import type { Compiled, CompileOptions, Engine, Precision, Program, TensorTree } from "../types.ts";
import { BACKEND, OneDnnBackend } from "./backend.ts";
import { bytesAreExact } from "./convolutions.ts";
import { fuse } from "./fuse.ts";
import type { Graph } from "./graph.ts";
import { buildWith, OWN_KERNELS, QUICKER_KERNELS } from "./kernels.ts";
import { requireBfloat16 } from "./isa.ts";
import { OneDnn } from "./library.ts";
import { requireOwn } from "../own_tensor.ts";
import { type Plan, planOf } from "./plan.ts";

export interface OneDnnOptions {
  /** Path of libdnnl. */
  readonly library: string;
  /** Where it was found, for people. */
  readonly source: string;
  /** @default float32 */
  readonly precision?: Precision;
}

/** Default of `CompileOptions.large`. */
const LARGE = 8192;

const opened = new Map<Precision, Engine>();
let parts: Parts | null = null;

/**
 * Opens oneDNN and makes it tfjs's backend. A process opens it once; later calls return the same engine of a precision and
 * make it current again.
 * @throws {InputError} If the library or the processor does not serve.
 */
export function openOneDnnEngine({ library, source, precision = "float32" }: OneDnnOptions): Engine {
  const own = parts ??= openParts(library), { dnnl } = own;
  if (precision === "bf16") requireBfloat16(dnnl.isa);
  void tf.setBackend(BACKEND); // synchronous, as the backend exists
  const known = opened.get(precision);
  if (known) return known;
  const engine: Engine = {
    name: "onednn",
    description: `oneDNN ${dnnl.version} (${source}), CPU (${dnnl.isa}), ` +
      `${precision === "bf16" ? "gradients in bf16, " : ""}1 thread`,
    versions: {
      onednn: dnnl.version,
      isa: dnnl.isa,
      tfjs: tf.version_core,
      deno: Deno.version.deno,
      v8: Deno.version.v8,
    },
    device: "cpu",
    precision,
    threads: 1,
    compile: (program, options) => compile(own, program, { precision, ...options }),
  };
  opened.set(precision, engine);
  return engine;
}

function openParts(library: string): Parts {
  const dnnl = new OneDnn(library), backend = new OneDnnBackend();
  tf.registerBackend(BACKEND, () => backend, 3);
  void tf.setBackend(BACKEND); // synchronous, as the backend exists
  registerGradients();
  const parts: Parts = { backend, dnnl, bytesAreExact: bytesAreExact(dnnl) };
  registerKernels(parts);
  return parts;
}

interface Parts {
  readonly backend: OneDnnBackend;
  readonly dnnl: OneDnn;
  readonly bytesAreExact: boolean;
}

/** Every kernel records inside a program; outside, tfjs's CPU kernels run, and a program of one call where they are slow. */
function registerKernels({ backend, dnnl, bytesAreExact }: Parts): void {
  const byProgram = new Set([...OWN_KERNELS, ...QUICKER_KERNELS]);
  const alone = (
    kernel: string,
    inputs: TensorInfo[] | Record<string, TensorInfo>,
    attrs: tf.NamedAttrMap,
  ): TensorInfo[] => {
    if (!byProgram.has(kernel)) return backend.runOnCpu(kernel, inputs, attrs);
    const names = Object.keys(inputs), given = Object.values(inputs);
    const { graph, result } = backend.record(given, (infos) => {
      const outputs = [
        functions.get(kernel)!({
          inputs: Object.fromEntries(infos.map((info, i) => [names[i]!, info])) as never,
          attrs,
          backend,
        }),
      ].flat();
      return {
        outputs,
        result: { shapes: outputs.map(({ shape, dtype }) => ({ shape, dtype })), infos: [...infos, ...outputs] },
      };
    });
    for (const { dataId } of result.infos) backend.disposeData(dataId);
    const plan = planOf(fuse(graph, { bytesAreExact, large: LARGE }), dnnl, buildWith(backend));
    const values = plan.run(given.map((info) => backend.heldOf(info)));
    plan.dispose();
    return result.shapes.map(({ shape, dtype }, i) => backend.tensor(shape, dtype, values[i]!.values));
  };
  const functions = new Map<string, tf.KernelFunc>();
  for (
    const kernelName of new Set([...tf.getKernelsForBackend("cpu").map(({ kernelName }) => kernelName), ...byProgram])
  ) {
    const kernelFunc = backend.kernelFunc(kernelName, alone);
    functions.set(kernelName, kernelFunc);
    tf.registerKernel({ kernelName, backendName: BACKEND, kernelFunc });
  }
}

/** A program, planned. */
interface Planned {
  readonly plan: Plan;
  /** For each input: a call may write over it. */
  readonly isConsumed: readonly boolean[];
  readonly outputs: readonly { shape: number[]; dtype: tf.DataType }[];
  readonly structure: TensorTree;
}

function compile<In extends TensorTree, Out extends TensorTree>(
  { backend, dnnl, bytesAreExact }: Parts,
  program: Program<In, Out>,
  options: CompileOptions,
): Compiled<In, Out> {
  const cache = new Map<string, Planned>(), limit = options.signatures ?? 8, bfloat16 = options.precision === "bf16";
  if (bfloat16) requireBfloat16(dnnl.isa);
  if (!(limit >= 1)) {
    throw new RangeError(`Cannot compile a program as signatures must be at least 1: current value is ${limit}`);
  }

  const large = options.large ?? LARGE, consumed = new Set(options.consumes);

  function record(inputs: In, leaves: readonly [string, Tensor][]): Planned {
    let recorded: Omit<Planned, "plan" | "isConsumed"> & { graph: Graph } | null = null;
    tf.tidy(() => {
      const { graph, result } = backend.record(leaves.map(([, tensor]) => tensor), (infos) => {
        let next = 0;
        const given = mapTree(
          inputs as TensorTree,
          () => tf.engine().makeTensorFromTensorInfo(infos[next++]!, backend),
        ) as In;
        const structure = program(given), outputs = flatten<Tensor>(structure).map(([, tensor]) => tensor);
        return {
          outputs,
          result: {
            outputs: outputs.map(({ shape, dtype }) => ({ shape, dtype })),
            structure: mapTree<Tensor, null>(structure, () => null) as unknown as TensorTree,
          },
        };
      });
      recorded = { graph, ...result };
    });
    const { graph, outputs, structure } = recorded!;
    const isConsumed = leaves.map(([path]) => consumed.has(path.split("\u0000")[0]!));
    return {
      plan: planOf(fuse(graph, { bytesAreExact, large, bfloat16 }), dnnl, buildWith(backend), isConsumed),
      isConsumed,
      outputs,
      structure,
    };
  }

  function plannedFor(inputs: In, leaves: readonly [string, Tensor][]): Planned {
    // the whole structure, as a node without leaves is part of it
    const signature = JSON.stringify(mapTree<Tensor, string>(inputs, ({ dtype, shape }) => `${dtype}[${shape}]`));
    let planned = cache.get(signature);
    if (planned) cache.delete(signature);
    else planned = record(inputs, leaves);
    cache.set(signature, planned);
    if (cache.size > limit) {
      const [oldest, { plan }] = cache.entries().next().value!;
      cache.delete(oldest);
      plan.dispose();
    }
    return planned;
  }

  const call = (inputs: In): Out => {
    if (backend.isRecording) {
      throw new Error("Cannot call a compiled program inside a program as that is being recorded: call the plain one");
    }
    if (tf.getBackend() !== BACKEND) void tf.setBackend(BACKEND);
    const leaves = flatten<Tensor>(inputs);
    for (const [path, tensor] of leaves) requireOwn(tensor, path, backend);
    const { plan, isConsumed, outputs, structure } = plannedFor(inputs, leaves);
    const given = leaves.map(([, tensor], i) => {
      const held = backend.heldOf(tensor);
      if (isConsumed[i] && backend.refCount(tensor.dataId) > 1) held.keep(); // somebody has a clone
      return held;
    });
    const results = plan.run(given);
    let next = 0;
    return mapTree(structure, () => {
      const { shape, dtype } = outputs[next]!;
      return tf.engine().makeTensorFromTensorInfo(backend.heldTensor(shape, dtype, results[next++]!), backend);
    }) as Out;
  };
  return Object.assign(call, {
    dispose() {
      for (const { plan } of cache.values()) plan.dispose();
      cache.clear();
    },
  });
}
