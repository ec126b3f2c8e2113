/** Chains of element-wise operations on large tensors: one pass of oneDNN. */
import { addUniformNoise } from "../../random/philox.ts";
import type { Node, Use } from "./graph.ts";
import { type Algorithm, ARGUMENT, type Handle, type MemoryType } from "./c_interface.ts";
import type { PostOperation } from "./library.ts";
import type { Run } from "./loops.ts";
import type { Argument, Builder } from "./builder.ts";
import { roundingDown } from "./system.ts";

/** One operation on what is before it: with an operand (an input of the node), or with two numbers. */
export type ChainOperation =
  | { readonly algorithm: Algorithm; readonly operand: string }
  | { readonly algorithm: Algorithm; readonly alpha: number; readonly beta: number };

const TYPES: Readonly<Record<Use["value"]["type"], MemoryType>> = {
  float32: "f32",
  int32: "s32",
  bool: "u8",
  u8: "u8",
  s8: "s8",
  bf16: "bf16",
};

export function memoryType({ value }: Use): MemoryType {
  return TYPES[value.type];
}

/** Operations as post-ops of a primitive, and the arguments that they need. */
export function postsOf(
  operations: readonly ChainOperation[],
  operandOf: (name: string) => { layout: Handle; at: Argument[2] },
): { posts: PostOperation[]; args: Argument[] } {
  const args: Argument[] = [];
  const posts = operations.map((operation, k): PostOperation => {
    if (!("operand" in operation)) {
      return { eltwise: operation.algorithm, alpha: operation.alpha, beta: operation.beta };
    }
    const { layout, at } = operandOf(operation.operand);
    args.push([ARGUMENT.post(k), layout, at]);
    return { binary: operation.algorithm, layout };
  });
  return { posts, args };
}

/** Least length of a row: kernels loop over rows, and short ones cost twice as much. */
const LEAST_ROW = 256;

/** The node `Chain`: `x`, then its operations, to float32, u8 or s8 (rounded down with `floor`). */
export function chain(node: Node, builder: Builder): Run {
  const { library } = builder, x = node.inputs["x"]!, to = node.outputs[0]!, size = x.value.size;
  const operations = node.attrs["operations"] as unknown as ChainOperation[];
  const channels = x.shape.at(-1) ?? 1;
  let repeats = 1;
  while (channels * repeats < LEAST_ROW && size % (channels * repeats * 2) === 0) repeats *= 2;
  const row = channels * repeats, rows = size / row;
  const image = (type: MemoryType) => library.images([1, rows, 1, row], type);
  const scalar = library.plain([1, 1, 1, 1], "f32"), one = builder.floats(1);
  one.values[0] = 1;
  const runs: Run[] = [];
  const operandOf = (name: string): { layout: Handle; at: Argument[2] } => {
    const use = node.inputs[name]!;
    if (use.value.size === size) return { layout: image(memoryType(use)), at: use.value };
    if (use.value.size === 1) return { layout: scalar, at: use.value };
    const from = builder.values(use), repeated = builder.floats(row);
    runs.push(() => {
      for (let at = 0; at < row; at += channels) repeated.values.set(from, at);
    });
    return { layout: library.plain([1, row, 1, 1], "f32"), at: repeated };
  };
  const [first, ...others] = operations, starts = first && "operand" in first ? first : null;
  const operand = starts ? operandOf(starts.operand) : { layout: scalar, at: one };
  const { posts, args } = postsOf(starts ? others : operations, operandOf);
  const layouts = [image(memoryType(x)), operand.layout, image(memoryType(to))] as const;
  const run = builder.primitive(library.binary(starts?.algorithm ?? "mul", layouts, { posts }), [
    [ARGUMENT.src, layouts[0], x.value],
    [ARGUMENT.src1, operand.layout, operand.at],
    [ARGUMENT.dst, layouts[2], to.value],
    ...args,
  ]);
  const rounded = node.attrs["floor"] ? () => roundingDown(run) : run;
  const saved = operations.some(({ algorithm }) => LOSE_NAN.has(algorithm)) ? savesNaN(node, builder) : null;
  return () => {
    for (const fill of runs) fill();
    rounded();
    saved?.();
  };
}

/** Operations in which oneDNN makes a number of NaN. */
const LOSE_NAN: ReadonlySet<Algorithm> = new Set(["relu", "clip", "max", "min"]);

/** Checks whether a node may write its result over an operand: it reads each element before it writes it, and none later. */
export function worksInPlace({ kernel, attrs }: Node): boolean {
  if (kernel !== "Chain") return false;
  return (attrs["operations"] as unknown as ChainOperation[]).every(({ algorithm }) => !LOSE_NAN.has(algorithm));
}

/** In larger tensors NaN is looked for at the first pixel alone: batch norm spreads it over a whole channel. */
const ALL_LOOKED_AT = 65536;

/** Brings NaN of the operands into the result (integers: into the second output), so that a diverged run shows. */
function savesNaN(node: Node, builder: Builder): Run {
  const [to, poison] = node.outputs, { size } = to!.value, length = size <= ALL_LOOKED_AT ? size : to!.shape.at(-1)!;
  const operands = [...new Set(Object.values(node.inputs))].filter(({ value }) => value.type === "float32")
      .map((use) => builder.values(use)),
    results = poison ? null : builder.values(to!),
    flag = poison ? builder.values(poison) : null;
  return () => {
    if (flag) flag[0] = 0;
    for (const values of operands) {
      const end = Math.min(length, values.length);
      for (let i = 0; i < end; i++) {
        if (values[i] === values[i]) continue;
        if (flag) flag[0] = NaN;
        else if (results instanceof Float32Array) results[i] = NaN;
      }
    }
  };
}

const BFLOAT16_NAN = 0x7fc0;

/** Another type of the same values: bytes to float32 or bfloat16, float32 to bfloat16. */
export function convert(node: Node, builder: Builder): Run {
  const { library } = builder, x = node.inputs["x"]!, to = node.outputs[0]!, size = x.value.size;
  const [from, into] = [x, to].map((use) => library.plain([1, size], memoryType(use)));
  const run = builder.primitive(library.reorder(from!, into!), [[ARGUMENT.src, from!, x.value], [
    ARGUMENT.dst,
    into!,
    to.value,
  ]]);
  const { poison: flag } = node.inputs, poison = flag ? builder.values(flag) : null, values = builder.values(to);
  return () => {
    run();
    if (poison && poison[0] !== 0) values.fill(to.value.type === "bf16" ? BFLOAT16_NAN : NaN); // bytes do not say where it was
  };
}

/** x + active u, of integers x, in float32; see `uniformPerturbation` in `../ops.ts`. */
export function perturbIntegers(node: Node, builder: Builder): Run {
  const copy = convert(node, builder), { state, active } = node.inputs;
  const [numbers, factor, to] = [state!, active!, node.outputs[0]!].map((use) => builder.values(use));
  const stream = node.attrs["stream"] as number;
  return () => {
    copy();
    if (factor![0] === 0) return;
    addUniformNoise(to as Float32Array, { state: numbers as Int32Array, stream, factor: factor![0]! });
  };
}
