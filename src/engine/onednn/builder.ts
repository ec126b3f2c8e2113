/** The tools that a kernel is built with. */
import type { Handle } from "./c_interface.ts";
import type { Node, Use, Value, Values } from "./graph.ts";
import type { OneDnn } from "./library.ts";
import type { Run } from "./loops.ts";

/** An argument of a primitive: what it is, its layout, and where. */
export type Argument = readonly [argument: number, layout: Handle, at: Value | Place];

/** A place in memory. */
export interface Place {
  readonly address: bigint;
}

/** Numbers of a node's own. */
export interface Floats extends Place {
  readonly values: Float32Array<ArrayBuffer>;
}

/** Tools that a node is built with. */
export interface Builder {
  readonly library: OneDnn;
  values(use: Use): Values;
  /** The place so many bytes after a value's start. */
  part(use: Use, offset: number): Place;
  /** Memory of a node's own. */
  scratch(bytes: number): Place;
  floats(length: number): Floats;
  /** A run of a primitive; frees its descriptor. */
  primitive(descriptor: Handle, args: readonly Argument[]): Run;
  /** Calls `free` when the plan goes. */
  keep(free: () => void): void;
}

/** Makes a node's function. */
export type Build = (node: Node, builder: Builder) => Run;
