import type * as tf from "@tensorflow/tfjs-core";
import type { Tree } from "../tree.ts";

/** A tensor of TensorFlow.js. */
export type Tensor = tf.Tensor;

/** The engines that exist; each is one folder beside this file. */
export type EngineName = "onednn" | "tensorflow" | "wasm";

/**
 * Engines that a user may ask for; on a CPU `auto` takes the first that is found of
 * onednn, tensorflow and wasm; tensorflow first on a GPU, or where REQUANT_LIBTENSORFLOW names its library.
 */
export const ENGINE_CHOICES = ["auto", "onednn", "tensorflow", "wasm"] as const;
/** One of them. */
export type EngineChoice = typeof ENGINE_CHOICES[number];

/**
 * Ways in which convolutions multiply. `tf32` (a GPU): they round their operands to 11 bits, except the forward ones of quantized
 * layers, which multiply integers and are exact, or stay float32. `bf16` (engine onednn): their gradients round operands to 8 bits.
 */
export const PRECISIONS = ["float32", "tf32", "bf16"] as const;
/** One of them. */
export type Precision = typeof PRECISIONS[number];
/** Precisions other than float32, and the engines that have them. */
export const PRECISION_ENGINES = { tf32: "tensorflow", bf16: "onednn" } as const;

/** Precisions that a user may ask for; `auto` takes tf32 where engine tensorflow finds a GPU, else float32. */
export type PrecisionChoice = "auto" | Precision;

/** A tree of tensors. */
export type TensorTree = Tree<Tensor>;

/**
 * A pure function from a tree of tensors to a tree of tensors, written with tfjs ops and the ops of `ops.ts`.
 *
 * It may not read a tensor's value, keep a tensor, or depend on anything but its argument: an engine may run it once to
 * record it and never again.
 */
export type Program<In extends TensorTree, Out extends TensorTree> = (inputs: In) => Out;

/** The fast form of a program. The caller owns (and disposes) what it returns; inputs stay the caller's. */
export interface Compiled<In extends TensorTree, Out extends TensorTree> {
  (inputs: In): Out;
  /** Frees the recorded graphs. */
  dispose(): void;
}

/** Options for compiling a program. */
export interface CompileOptions {
  /**
   * Compile with XLA (tensorflow only).
   * @default true on a GPU, false on a CPU, where XLA loses oneDNN's convolutions
   */
  readonly xla?: boolean;
  /**
   * Precision of convolutions (tensorflow and onednn).
   * @default the engine's
   */
  readonly precision?: Precision;
  /** Called, while a program is recorded for TF32, with each quantized layer that stays float32 (tensorflow only). */
  readonly float32?: (layer: string) => void;
  /**
   * Tensors from so many elements on get a pass of oneDNN, smaller ones a loop (onednn only).
   * @default 8192
   */
  readonly large?: number;
  /**
   * Names at the top of the inputs. A call may write over their tensors: the caller only disposes of them afterwards
   * (onednn only). Clones keep their values.
   * @default none
   */
  readonly consumes?: readonly string[];
  /**
   * Number of input signatures (structure, shapes and dtypes) kept recorded; the least recently used is dropped first.
   * @default 8
   */
  readonly signatures?: number;
}

/** A step that is repeated: `carried` goes from each step to the next, `fixed` to all, and each takes its own of `each`. */
export type StepProgram<
  Carried extends TensorTree,
  Fixed extends TensorTree,
  Each extends TensorTree,
  Out extends TensorTree,
> = (inputs: { carried: Carried; fixed: Fixed; each: Each }) => { carried: Carried; outputs: Out };

/** The fast form of a repeated step: computes `steps` of them, one after another, in another thread. */
export interface Repeated<
  Carried extends TensorTree,
  Fixed extends TensorTree,
  Each extends TensorTree,
  Out extends TensorTree,
> {
  /**
   * @param inputs `each`: leaves [most, ...], of which the first `steps` are read.
   * @returns What the last step gives to the next, and the outputs [most] of all, 0 where there was no step.
   */
  (
    inputs: { carried: Carried; fixed: Fixed; each: Each },
    steps: number,
  ): Promise<{ carried: Carried; outputs: Out }>;
  /** Frees what was compiled. */
  dispose(): void;
}

/** Options for repeating a step. */
export interface RepeatOptions extends Pick<CompileOptions, "xla" | "precision" | "float32"> {
  /** Number of steps that a call can take. */
  readonly most: number;
}

/** Loops that run on the device. */
export interface Loops {
  /**
   * The fast form of many steps in one call. Outputs are float32 scalars. Bytes do not depend on how steps are shared
   * among calls.
   */
  repeat<Carried extends TensorTree, Fixed extends TensorTree, Each extends TensorTree, Out extends TensorTree>(
    step: StepProgram<Carried, Fixed, Each, Out>,
    options: RepeatOptions,
  ): Repeated<Carried, Fixed, Each, Out>;
  /** A tensor of bytes, kept on the device as such; programs meet it as int32, and read it by `tf.gather` alone. */
  bytes(values: Uint8Array, shape: readonly number[]): Tensor;
}

/** Engine that runs tensor programs. */
export interface Engine {
  /** Name in a run spec. */
  readonly name: EngineName;
  /** For people: what it is and where it came from, such as `libtensorflow 2.21.0 (/path), CPU, 1 thread`. */
  readonly description: string;
  /** Versions of what computes, by name: they go into every record. */
  readonly versions: Readonly<Record<string, string>>;
  /** Kind of device that computes. */
  readonly device: "cpu" | "gpu";
  /** Left out: float32. */
  readonly precision?: Precision;
  /** Number of threads. */
  readonly threads: number;
  /** Left out: the engine runs one step a call. */
  readonly loops?: Loops;
  /** Gives the fast form of a program. */
  compile<In extends TensorTree, Out extends TensorTree>(
    program: Program<In, Out>,
    options?: CompileOptions,
  ): Compiled<In, Out>;
}
