/** The rewrite that gives convolutions oneDNN's geometry. */
import { geometryOf } from "./convolutions.ts";
import type { Graph, Node } from "./graph.ts";
import type { Geometry } from "./library.ts";
import { attributes, makers, readers } from "./rewrite.ts";

const IMAGE_KERNELS: Readonly<Record<string, "forward" | "input" | "filter">> = {
  Conv2D: "forward",
  DepthwiseConv2dNative: "forward",
  Conv2DBackpropInput: "input",
  DepthwiseConv2dNativeBackpropInput: "input",
  Conv2DBackpropFilter: "filter",
  DepthwiseConv2dNativeBackpropFilter: "filter",
};

/** Convolutions get their geometry; zeros that were put around an image before it, and cut off after it, become padding. */
export function withGeometry(graph: Graph): Graph {
  const made = makers(graph.nodes), read = readers(graph), cut = new Map<Node, Node>();
  const nodes = graph.nodes.map((node): Node => {
    const kind = IMAGE_KERNELS[node.kernel], { kernel, inputs, attrs, outputs } = node;
    if (!kind) return node;
    const image = kind === "input" ? outputs[0]! : inputs["x"]!,
      filter = kind === "filter" ? outputs[0]! : inputs["filter"]!;
    const geometry = geometryOf(kernel, { image: image.shape, filter: filter.shape, attrs });
    if (kind === "input") {
      const only = read.get(image.value) ?? [], slice = only.length === 1 ? only[0] : null;
      if (slice?.kernel !== "Slice" || (slice.attrs["begin"] as number[] | undefined)?.length !== 4) {
        return { ...node, attrs: attributes({ geometry }) };
      }
      const begin = slice.attrs["begin"] as number[], result = slice.outputs[0]!;
      const before = [begin[1]!, begin[2]!] as const;
      const after = [1, 2].map((axis) => image.shape[axis]! - begin[axis]! - result.shape[axis]!) as [number, number];
      const whole = begin[0] === 0 && begin[3] === 0 && result.shape[0] === image.shape[0] &&
        result.shape[3] === image.shape[3];
      if (!whole) return { ...node, attrs: attributes({ geometry }) };
      cut.set(slice, node);
      return { ...node, outputs: [result], attrs: attributes({ geometry: widened(geometry, before, after) }) };
    }
    const pad = made.get(image.value),
      pads = pad?.kernel === "PadV2" ? pad.attrs["paddings"] as unknown as [number, number][] : null;
    if (!pads || pad!.attrs["constantValue"] !== 0 || pads[0]!.some(Boolean) || pads[3]!.some(Boolean)) {
      return { ...node, attrs: attributes({ geometry }) };
    }
    const [before, after] = [0, 1].map((side) => [pads[1]![side]!, pads[2]![side]!] as const) as [
      readonly [number, number],
      readonly [number, number],
    ];
    return {
      ...node,
      inputs: { ...inputs, x: pad!.inputs["x"]! },
      attrs: attributes({ geometry: widened(geometry, before, after) }),
    };
  });
  return { ...graph, nodes: nodes.filter((node) => !cut.has(node)) };
}

function widened(
  { strides, before, after }: Geometry,
  more: readonly [number, number],
  moreAfter: readonly [number, number],
): Geometry {
  return {
    strides,
    before: [before[0] + more[0], before[1] + more[1]],
    after: [after[0] + moreAfter[0], after[1] + moreAfter[1]],
  };
}
