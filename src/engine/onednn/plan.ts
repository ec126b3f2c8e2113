/** A graph made ready to run: every value has its place in one memory, every node its function. */
import { Arena } from "./arena.ts";
import { worksInPlace } from "./chain.ts";
import { bytesOf, type Graph, type Value, type Values, viewOf } from "./graph.ts";
import { Held, HeldResults } from "./held.ts";
import type { Build, Builder, Place } from "./builder.ts";
import type { Handle } from "./c_interface.ts";
import type { OneDnn } from "./library.ts";
import { preferHugePages } from "./system.ts";

/** A program that can be run. */
export interface Plan {
  run(inputs: readonly Held[]): Held[];
  dispose(): void;
  /** Bytes of its memory. */
  readonly bytes: number;
}

/** When each value is last used: the number of a node, or Infinity. */
function lastUses(graph: Graph): Map<Value, number> {
  const last = new Map<Value, number>();
  graph.nodes.forEach((node, i) => {
    for (const { value } of [...node.outputs, ...Object.values(node.inputs)]) last.set(value, i);
  });
  for (const { value } of graph.outputs) last.set(value, Infinity);
  return last;
}

/** Results that may lie where an input lies that nothing reads any more: by result, the input. */
function successors(graph: Graph, isConsumed: readonly boolean[]): Map<Value, Value> {
  const last = lastUses(graph),
    results = new Set(graph.outputs.map(({ value }) => value)),
    found = new Map<Value, Value>();
  graph.nodes.forEach((node, i) => {
    const to = node.outputs[0];
    if (!worksInPlace(node) || !results.has(to!.value)) return;
    const input = Object.values(node.inputs).map(({ value }) => value).find((value) =>
      value.input !== undefined && isConsumed[value.input] && last.get(value) === i && value.type === to!.value.type &&
      value.size === to!.value.size
    );
    if (input) found.set(to!.value, input);
  });
  return found;
}

/** Gives every value its offset; a value's room is used again after its last use. */
function place(graph: Graph, arena: Arena, successors: Map<Value, Value>): Map<Value, number> {
  const last = lastUses(graph), offsets = new Map<Value, number>(), ending = new Map<number, Value[]>();
  const put = (value: Value) => {
    if (offsets.has(value)) return;
    offsets.set(value, arena.take(bytesOf(value)));
    const end = last.get(value) ?? -1;
    if (value.constant || value.input !== undefined) return;
    ending.set(end, [...(ending.get(end) ?? []), value]);
  };
  for (const { value } of graph.inputs) put(value);
  for (const node of graph.nodes) for (const { value } of Object.values(node.inputs)) if (value.constant) put(value);
  for (const { value } of graph.outputs) if (value.constant) put(value);
  graph.nodes.forEach((node, i) => {
    for (const { value } of node.outputs) {
      const before = successors.get(value);
      if (before) offsets.set(value, offsets.get(before)!);
      else put(value);
    }
    for (const value of ending.get(i) ?? []) arena.release(offsets.get(value)!, bytesOf(value));
  });
  return offsets;
}

/**
 * Plans a graph.
 * @param isConsumed For each input: a run may write over it.
 */
export function planOf(graph: Graph, library: OneDnn, build: Build, isConsumed: readonly boolean[] = []): Plan {
  const following = successors(graph, isConsumed), arena = new Arena(), offsets = place(graph, arena, following);
  arena.allocate(preferHugePages);
  const memories: Handle[] = [],
    primitives: Handle[] = [],
    scratches: Uint8Array[] = [],
    args: BigUint64Array<ArrayBuffer>[] = [];
  const views = new Map<Value, Values>();
  const valuesOf = (value: Value): Values => {
    let view = views.get(value);
    if (!view) views.set(value, view = viewOf(value, arena.buffer, arena.start + offsets.get(value)!));
    return view;
  };
  const frees: (() => void)[] = [];
  /** Kept until the plan goes. */
  function aligned(length: number): Place & { bytes: Uint8Array<ArrayBuffer> } {
    const own = new Uint8Array(new ArrayBuffer(length + 64)), address = addressOf(own), skip = Number(-address & 63n);
    scratches.push(own);
    return { address: address + BigInt(skip), bytes: own.subarray(skip, skip + length) };
  }
  const builder: Builder = {
    library,
    keep: (free) => void frees.push(free),
    values: ({ value }) => valuesOf(value),
    part: ({ value }, offset) => ({ address: arena.address + BigInt(offsets.get(value)! + offset) }),
    scratch: (bytes) => aligned(bytes),
    floats(length) {
      const { address, bytes } = aligned(4 * length);
      return { address, values: new Float32Array(bytes.buffer, bytes.byteOffset, length) };
    },
    primitive(descriptor, given) {
      const primitive = library.primitive(descriptor), pairs = new BigUint64Array(2 * given.length);
      primitives.push(primitive);
      given.forEach(([argument, layout, at], k) => {
        const memory = library.memory(layout, "address" in at ? at.address : arena.address + BigInt(offsets.get(at)!));
        memories.push(memory);
        pairs[2 * k] = BigInt(argument);
        pairs[2 * k + 1] = BigInt(Deno.UnsafePointer.value(memory));
      });
      library.freeDescriptor(descriptor);
      args.push(pairs);
      const pointer = Deno.UnsafePointer.of(pairs)!, count = given.length;
      return () => library.execute(primitive, count, pointer);
    },
  };
  for (const value of offsets.keys()) if (value.constant) valuesOf(value).set(value.constant);
  const runs = graph.nodes.map((node) => build(node, builder));
  const inputs = graph.inputs.map(({ value }) => valuesOf(value)),
    outputs = graph.outputs.map(({ value }) => ({
      values: valuesOf(value),
      // what no node writes lies in a place that it does not own
      isOwn: value.input === undefined && value.constant === undefined,
    }));
  const held = new HeldResults(inputs, isConsumed);
  return {
    bytes: arena.size,
    run(given) {
      held.putInputs(given);
      for (const run of runs) run();
      return outputs.map(({ values, isOwn }) => isOwn ? held.add(values) : new Held(values.slice()));
    },
    dispose() {
      held.copyAllOut();
      for (const primitive of primitives) library.freePrimitive(primitive);
      for (const memory of memories) library.freeMemory(memory);
      for (const free of frees) free();
      frees.length =
        primitives.length =
        memories.length =
        scratches.length =
        args.length =
        runs.length =
          0;
    },
  };
}

function addressOf(bytes: Uint8Array<ArrayBuffer>): bigint {
  return BigInt(Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes)));
}
