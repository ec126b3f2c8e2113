/** Rewrites of a graph that give the same numbers in fewer passes over memory. */
import type { ChainOperation } from "./chain.ts";
import { canTurn, fillsLanes } from "./convolutions.ts";
import { withBfloat16 } from "./bfloat16.ts";
import { withGeometry } from "./geometry.ts";
import { type Graph, makeUse, type Node, sizeOf, type Use, type Value, withoutDead } from "./graph.ts";
import { withIntegers } from "./integers.ts";
import type { Algorithm } from "./c_interface.ts";
import type { Geometry } from "./library.ts";
import { attributes, makers, readers, type RewriteOptions } from "./rewrite.ts";

/** A graph of the nodes that `kernels.ts` can build. */
export function fuse(graph: Graph, options: RewriteOptions): Graph {
  const rewrites = [
    withoutDead,
    withGeometry,
    withIntegers,
    withNorms,
    withMasks,
    withBfloat16,
    withDots,
    withoutDead,
    withChains,
    withCopies,
  ];
  return rewrites.reduce((fused, rewrite) => rewrite(fused, options), graph);
}

/**
 * Batch norm: statistics, and then a chain, which may join what follows. Batch norms of one tensor share its statistics:
 * FPQ's distillation of a layer's output has those of the layer's own batch norm.
 */
function withNorms(graph: Graph): Graph {
  const made = makers(graph.nodes), places = new Map(graph.nodes.map((node, i) => [node, i]));
  const norms = graph.nodes.filter(({ kernel }) => kernel === "BatchNormTraining");
  const groups = Map.groupBy(norms, (node) => norms.find((first) => canShare(first, node)) ?? node);
  /** Checks whether the statistics of `first` serve `node`, whose gamma must be there by then. */
  function canShare(first: Node, node: Node): boolean {
    const [x, other] = [first.inputs["x"]!, node.inputs["x"]!], maker = made.get(node.inputs["gamma"]!.value);
    return x.value === other.value && String(x.shape) === String(other.shape) &&
      first.attrs["epsilon"] === node.attrs["epsilon"] && (!maker || places.get(maker)! < places.get(first)!);
  }
  const shared = new Map<Value, Value>(), slopes = new Map<Node, { mean: Use; slope: Use }>();
  const own = (use: Use): Use => ({ ...use, value: shared.get(use.value) ?? use.value });
  const nodes = graph.nodes.flatMap((node): Node[] => {
    const inputs = Object.fromEntries(Object.entries(node.inputs).map(([name, use]) => [name, own(use)]));
    if (node.kernel !== "BatchNormTraining") return [{ ...node, inputs }];
    const [y, ...statistics] = node.outputs, group = groups.get(node) ?? [], all: Node[] = [];
    if (group.length > 0) {
      const gammas = group.map(({ inputs: { gamma } }, k) => [`gamma${k}`, own(gamma!)] as const);
      const outputs = group.map(({ inputs: { gamma } }) => makeUse(gamma!.shape, "float32"));
      group.forEach((norm, k) => {
        slopes.set(norm, { mean: statistics[2]!, slope: outputs[k]! });
        norm.outputs.slice(1).forEach((use, i) => shared.set(use.value, statistics[i]!.value));
      });
      all.push({
        kernel: "NormStatistics",
        inputs: { x: inputs["x"]!, ...Object.fromEntries(gammas) },
        outputs: [...statistics, ...outputs],
        attrs: node.attrs,
      });
    }
    const operations = [["sub", "mean"], ["mul", "slope"], ["add", "beta"]].map(([algorithm, operand]) => ({
      algorithm,
      operand,
    }));
    all.push({
      kernel: "Chain",
      inputs: { x: inputs["x"]!, ...slopes.get(node)!, beta: inputs["beta"]! },
      outputs: [y!],
      attrs: attributes({ operations }),
    });
    return all;
  });
  return { ...graph, nodes, outputs: graph.outputs.map(own) };
}

/** Inside of a rectifier by its gradient's kernel: what makes 1 of its result y where the gradient passes, else 0. */
const INSIDE: Readonly<Record<string, readonly ChainOperation[]>> = {
  ReluGrad: [{ algorithm: "gt", operand: "zero" }],
  // 0 < y < 6: y (6 - y) > 0
  Relu6Grad: [
    { algorithm: "linear", alpha: -1, beta: 6 },
    { algorithm: "mul", operand: "y" },
    { algorithm: "gt", operand: "zero" },
  ],
};

/** The gradient of relu or relu6 on a large tensor is a product by a mask, made where its result is. */
function withMasks(graph: Graph, { large }: RewriteOptions): Graph {
  const wanted = new Map<Value, readonly ChainOperation[]>(), masks = new Map<Value, Use>(), nodes: Node[] = [];
  for (const { kernel, inputs } of graph.nodes) {
    if (INSIDE[kernel] && inputs["y"]!.value.size >= large) wanted.set(inputs["y"]!.value, INSIDE[kernel]);
  }
  for (const node of graph.nodes) {
    const mask = INSIDE[node.kernel] && masks.get(node.inputs["y"]!.value);
    nodes.push(mask ? product(node, { x: node.inputs["dy"]!, mask }) : node);
    for (const y of node.outputs) {
      const operations = wanted.get(y.value);
      if (!operations) continue;
      const mask = makeUse(y.shape, "u8"), zero = makeUse([], "float32", { constant: Float32Array.of(0) });
      nodes.push({ kernel: "Chain", inputs: { x: y, y, zero }, outputs: [mask], attrs: attributes({ operations }) });
      masks.set(y.value, mask);
    }
  }
  return { ...graph, nodes };
}

function product(node: Node, inputs: Record<string, Use>): Node {
  const operand = Object.keys(inputs)[1]!;
  return {
    kernel: "Chain",
    inputs,
    outputs: node.outputs,
    attrs: attributes({ operations: [{ algorithm: "mul", operand }] }),
  };
}

/** The sum, or the mean, of all of a product or square of large tensors needs no product in memory. */
function withDots(graph: Graph, { large }: RewriteOptions): Graph {
  const made = makers(graph.nodes), read = readers(graph);
  const nodes = graph.nodes.map((node): Node => {
    const to = node.outputs[0]!, isSum = (node.kernel === "Sum" || node.kernel === "Mean") && to.value.size === 1;
    const product = isSum ? made.get(node.inputs["x"]!.value) : undefined;
    if (product?.kernel !== "Multiply" && product?.kernel !== "Square") return node;
    const { size } = product.outputs[0]!.value, { x, a = x, b = x } = product.inputs;
    if (size < large || a!.value.size !== size || b!.value.size !== size) return node;
    if (read.get(product.outputs[0]!.value)!.length !== 1) return node;
    return {
      kernel: "Dot",
      inputs: { a: a!, b: b! },
      outputs: [to],
      attrs: { count: node.kernel === "Mean" ? size : 1 },
    };
  });
  return { ...graph, nodes };
}

const ALGORITHMS: Readonly<Record<string, Algorithm>> = { Add: "add", Multiply: "mul", Sub: "sub", RealDiv: "div" };

/**
 * Checks whether an operand fits into a chain on a tensor of this shape. It must be as large, one number, or one number for
 * each channel.
 */
function fits({ value, shape }: Use, whole: readonly number[]): boolean {
  const channels = whole.at(-1)!;
  return value.size === 1 || value.size === sizeOf(whole) || (value.size === channels && shape.at(-1) === channels);
}

/** Lists what a node does to one of its inputs, as chain operations. The first choice of that input comes first. */
function chainForms(
  { kernel, inputs, attrs }: Node,
): { from: Use; operations: (name: (use: Use) => string) => ChainOperation[] }[] {
  const { a, b, x } = inputs, algorithm = ALGORITHMS[kernel];
  if (kernel === "Relu") return [{ from: x!, operations: () => [{ algorithm: "relu", alpha: 0, beta: 0 }] }];
  if (kernel === "Relu6") return [{ from: x!, operations: () => [{ algorithm: "clip", alpha: 0, beta: 6 }] }];
  if (kernel === "Chain" && !attrs["floor"]) {
    const own = attrs["operations"] as unknown as ChainOperation[];
    const renamed = (name: (use: Use) => string) =>
      own.map((operation) =>
        "operand" in operation ? { ...operation, operand: name(inputs[operation.operand]!) } : operation
      );
    return [{ from: x!, operations: renamed }];
  }
  if (!algorithm) return [];
  const one = (from: Use, other: Use) => ({
    from,
    operations: (name: (use: Use) => string): ChainOperation[] => [{ algorithm, operand: name(other) }],
  });
  return kernel === "Add" || kernel === "Multiply" ? [one(a!, b!), one(b!, a!)] : [one(a!, b!)];
}

/** Element-wise nodes on large tensors become chains, and chains join what they follow where nobody else reads it. */
function withChains(graph: Graph, { large }: RewriteOptions): Graph {
  const read = readers(graph), nodes: Node[] = [], made = new Map<Value, Node>();
  for (const node of graph.nodes) {
    const to = node.outputs[0]!;
    if (to.value.type === "float32" && to.value.size >= large) {
      const forms = chainForms(node).filter(({ from }) =>
        from.value.size === to.value.size && from.value.type === "float32"
      )
        .filter(({ from }) => Object.values(node.inputs).every((use) => use === from || fits(use, to.shape)));
      const best = forms.find(({ from }) => canGrow(made.get(from.value), read, to)) ?? forms[0];
      if (best) {
        const before = made.get(best.from.value), grows = canGrow(before, read, to);
        const inputs: Record<string, Use> = grows ? { ...before!.inputs } : { x: best.from };
        const earlier = grows ? (before!.attrs["operations"] ?? []) as unknown as ChainOperation[] : [];
        const operations = [
          ...earlier,
          ...best.operations((use) => {
            const name = `operand${Object.keys(inputs).length}`;
            inputs[name] = use;
            return name;
          }),
        ];
        const grown: Node = {
          kernel: grows ? before!.kernel : "Chain",
          inputs,
          outputs: [to],
          attrs: attributes({ ...(grows ? before!.attrs : {}), operations }),
        };
        if (grows) nodes.splice(nodes.indexOf(before!), 1);
        nodes.push(grown);
        made.set(to.value, grown);
        continue;
      }
    }
    nodes.push(node);
    for (const { value } of node.outputs) made.set(value, node);
  }
  return { ...graph, nodes };
}

/** Post-ops that a primitive takes. */
const MOST_OPERATIONS = 16;

/** Checks whether `before`'s result is read by one node alone, which may change it as it is written. */
function canGrow(before: Node | undefined, read: Map<Value, (Node | null)[]>, to: Use): boolean {
  if (!before || before.outputs.length !== 1 || read.get(before.outputs[0]!.value)?.length !== 1) return false;
  const operations = (before.attrs["operations"] ?? []) as unknown as ChainOperation[];
  if (operations.length >= MOST_OPERATIONS || String(before.outputs[0]!.shape) !== String(to.shape)) return false;
  if (before.kernel === "Chain") return true;
  return before.kernel === "Conv2DBackpropInput" && fillsLanes(to.shape.at(-1)!) &&
    canTurn(before.attrs["geometry"] as unknown as Geometry, before.inputs["filter"]!.shape);
}

/** A chain of vectors and numbers alone is made again by each of the chains that read it, and not kept in memory. */
function withCopies(graph: Graph): Graph {
  const read = readers(graph), copied = new Map<Value, Node>();
  for (const node of graph.nodes) {
    const to = node.outputs[0]!, readers = read.get(to.value) ?? [];
    const isCheap = node.kernel === "Chain" && to.value.type === "float32" && readers.length <= 2 &&
      Object.entries(node.inputs).every(([name, { value }]) => name === "x" || value.size < to.value.size);
    const startsAll = readers.every((reader) =>
      reader?.kernel === "Chain" && reader.inputs["x"]!.value === to.value &&
      // after a reshape the vectors would meet other channels
      String(reader.inputs["x"]!.shape) === String(to.shape) &&
      Object.values(reader.inputs).filter(({ value }) => value === to.value).length === 1
    );
    if (isCheap && startsAll) copied.set(to.value, node);
  }
  const nodes = graph.nodes.filter((node) => !copied.has(node.outputs[0]!.value)).map((node): Node => {
    let grown = node;
    for (;;) {
      const before = grown.kernel === "Chain" ? copied.get(grown.inputs["x"]!.value) : undefined;
      if (!before) return grown;
      const { x, ...own } = before.inputs,
        { x: _, ...others } = grown.inputs,
        prefix = `${Object.keys(others).length}_`;
      const renamed = Object.fromEntries(Object.entries(own).map(([name, use]) => [prefix + name, use]));
      const earlier = (before.attrs["operations"] as unknown as ChainOperation[]).map((operation) =>
        "operand" in operation ? { ...operation, operand: prefix + operation.operand } : operation
      );
      const operations = [...earlier, ...grown.attrs["operations"] as unknown as ChainOperation[]];
      grown = { ...grown, inputs: { x: x!, ...renamed, ...others }, attrs: attributes({ ...grown.attrs, operations }) };
    }
  });
  return { ...graph, nodes };
}
