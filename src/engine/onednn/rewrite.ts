/** Facts about a graph that its rewrites need. */
import type { NamedAttrMap } from "@tensorflow/tfjs-core";
import type { Graph, Node, Value } from "./graph.ts";

/** Options for rewriting graphs. */
export interface RewriteOptions {
  /** True if sums of products of whole bytes are exact on this processor. */
  readonly bytesAreExact: boolean;
  /** Tensors from so many elements on are worth a pass of oneDNN; smaller ones a loop. */
  readonly large: number;
  /** True if convolution gradients take operands in bfloat16. */
  readonly bfloat16?: boolean;
}

/** The nodes by what they make. */
export function makers(nodes: readonly Node[]): Map<Value, Node> {
  return new Map(nodes.flatMap((node) => node.outputs.map(({ value }) => [value, node] as const)));
}

/** Who reads each value; null reads a program's output. */
export function readers(graph: Graph): Map<Value, (Node | null)[]> {
  const found = new Map<Value, (Node | null)[]>();
  const add = (value: Value, node: Node | null) => {
    const list = found.get(value);
    if (list) list.push(node);
    else found.set(value, [node]);
  };
  for (const node of graph.nodes) for (const { value } of Object.values(node.inputs)) add(value, node);
  for (const { value } of graph.outputs) add(value, null);
  return found;
}

/** Attributes that tfjs does not know. */
export function attributes(values: Record<string, unknown>): NamedAttrMap {
  return values as NamedAttrMap;
}
