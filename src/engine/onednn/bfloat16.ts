/** The rewrite that rounds the operands of convolution gradients to bfloat16; sums and results stay float32. */
import { isSmall } from "./dense.ts";
import { type Graph, makeUse, type Node, type Use, type Value } from "./graph.ts";
import { makers, type RewriteOptions } from "./rewrite.ts";

/**
 * Gradients of ordinary convolutions get copies of x and dy in bfloat16, one for all that read the same tensor. An input
 * gradient's filter is rounded where it is packed. Integers of up to 8 bits are exact. Images of fewer pixels than taps stay
 * float32: oneDNN 3.2 leaves taps unwritten in bfloat16 for a 1 x 1 image at stride 2.
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
    const { x, dy, filter } = node.inputs, to = node.outputs[0]!;
    if (node.kernel === "Conv2DBackpropInput" && !isSmall(to, filter!)) {
      nodes.push({ ...node, inputs: { ...node.inputs, dy: copied(dy!) } });
    } else if (node.kernel === "Conv2DBackpropFilter" && !isSmall(x!, to)) {
      nodes.push({ ...node, inputs: { ...node.inputs, x: copied(x!), dy: copied(dy!) } });
    } else nodes.push(node);
  }
  return { ...graph, nodes };
}
