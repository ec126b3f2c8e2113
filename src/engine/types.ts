import type * as tf from "@tensorflow/tfjs-core";
import type { Tree } from "../tree.ts";

/** A tensor of TensorFlow.js. */
export type Tensor = tf.Tensor;

/** The engines that exist; each is one folder beside this file. */
export type EngineName = "onednn" | "tensorflow" | "wasm";

/** Engines that a user may ask for; `auto` takes tensorflow where it is found, else wasm. */
export const ENGINE_CHOICES = ["auto", "onednn", "tensorflow", "wasm"] as const;
/** One of them. */
export type EngineChoice = typeof ENGINE_CHOICES[number];

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
   * Tensors from so many elements on get a pass of oneDNN, smaller ones a loop (onednn only).
   * @default 8192
   */
  readonly large?: number;
  /**
   * Number of input signatures (structure, shapes and dtypes) kept recorded; the least recently used is dropped first.
   * @default 8
   */
  readonly signatures?: number;
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
  /** Number of threads. */
  readonly threads: number;
  /** Gives the fast form of a program. */
  compile<In extends TensorTree, Out extends TensorTree>(
    program: Program<In, Out>,
    options?: CompileOptions,
  ): Compiled<In, Out>;
}
