/** The rewrite that rounds the operands of convolution gradients to bfloat16; sums and results stay float32. */
import { type Graph, makeUse, type Node, type Use, type Value } from "./graph.ts";
import { makers, type RewriteOptions } from "./rewrite.ts";

/**
 * Gradients of ordinary convolutions get copies of x and dy in bfloat16, one for all that read the same tensor. An input
 * gradient's filter is rounded where it is packed. Integers of up to 8 bits are exact.
 */
export function withBfloat16(graph: Graph, { bfloat16 }: RewriteOptions): Graph {
  if (!bfloat16) return graph;
  const made = makers(graph.nodes), copies = new Map<Value, Use>(), nodes: Node[] = [];
  function copied(use: Use): Use {
    const maker = made.get(use.value), inputs = maker?.kernel === "Convert" ? maker.inputs : { x: use };
    const from = inputs["x"]!.value, copy = copies.get(from) ?? makeUse(use.shape, "bf16");
    if (!copies.has(from)) nodes.push({ kernel: "Convert", inputs, outputs: [copy], attrs: {} });
    copies.set(from, copy);
    return { ...copy, shape: use.shape };
  }
  for (const node of graph.nodes) {
    const { x, dy } = node.inputs;
    const inputs = node.kernel === "Conv2DBackpropInput"
      ? { dy: copied(dy!) }
      : node.kernel === "Conv2DBackpropFilter"
      ? { x: copied(x!), dy: copied(dy!) }
      : {};
    nodes.push({ ...node, inputs: { ...node.inputs, ...inputs } });
  }
  return { ...graph, nodes };
}
