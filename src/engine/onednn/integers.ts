/**
 * The rewrite that keeps quantized tensors as 8-bit integers, and lets convolutions multiply them as such:
 *
 *   round(clip(u))             -> u8 or s8, 0 or NaN (is there NaN in u?), and for the gradient a mask (u8) of what lies inside
 *   conv(q, levels s1 s2)      -> s1 s2 conv(q, levels), the sum of integers exact
 */
import { attributes, makers, readers, type RewriteOptions } from "./rewrite.ts";
import { type Graph, makeUse, type Node, type Use, type Value } from "./graph.ts";

/** Products of pairs are summed in 16 bits on processors without VNNI. */
const LARGEST_PAIR = 2 ** 15 - 1;

interface Bounds {
  readonly low: number;
  readonly high: number;
}

function boundsOf({ attrs }: Node): Bounds {
  return { low: attrs["low"] as number, high: attrs["high"] as number };
}

function isByte({ low, high }: Bounds): "u8" | "s8" | null {
  if (low >= 0 && high <= 255) return "u8";
  return low >= -128 && high <= 127 ? "s8" : null;
}

/** A fixed number. */
function constant(value: number): Use {
  return makeUse([], "float32", { constant: Float32Array.of(value) });
}

/** A filter as integers times scales: numbers, or one for each output channel. */
interface Levels {
  readonly levels: Use;
  readonly bounds: Bounds;
  readonly scales: readonly Use[];
  /** True if a zero point was subtracted: only a run shows whether it is whole. */
  readonly shifted: boolean;
}

/** Checks whether a scale or zero point is one number, or one for each output channel of the filter. */
function fitsChannels({ value, shape }: Use, filter: Use): boolean {
  const channels = filter.shape.at(-1)!;
  return value.size === 1 || (value.size === channels && shape.at(-1) === channels);
}

/** The filter as levels and scales, if it is made so. */
function levelsOf(use: Use, made: ReadonlyMap<Value, Node>): Levels | null {
  const node = made.get(use.value);
  if (node?.kernel === "RoundClip") {
    const bounds = boundsOf(node);
    const levels = { ...node.outputs[0]!, shape: use.shape };
    return bounds.low >= -128 && bounds.high <= 127 ? { levels, bounds, scales: [], shifted: false } : null;
  }
  if (node?.kernel === "Sub") {
    const { a, b } = node.inputs,
      found = fitsChannels(b!, use) && made.get(a!.value)?.kernel === "RoundClip" ? levelsOf(a!, made) : null;
    return found && { ...found, levels: { ...node.outputs[0]!, shape: use.shape }, shifted: true };
  }
  if (node?.kernel !== "Multiply") return null;
  const { a, b } = node.inputs;
  for (const [tensor, scale] of [[a!, b!], [b!, a!]] as const) {
    const found = fitsChannels(scale, use) && tensor.value.size === use.value.size
      ? levelsOf({ ...tensor, shape: use.shape }, made)
      : null;
    if (found) return { ...found, scales: [...found.scales, scale] };
  }
  return null;
}

/** The rewritten graph. */
export function withIntegers(graph: Graph, { bytesAreExact, large }: RewriteOptions): Graph {
  const made = makers(graph.nodes), read = readers(graph), nodes: Node[] = [];
  /** The integers of a rounded tensor, and how they are bounded. */
  const rounded = new Map<Value, { use: Use; poison: Use; bounds: Bounds }>();
  /** Masks of what lies inside which bounds, by the tensor that is clipped. */
  const masks = new Map<Value, { mask: Use; bounds: Bounds }[]>();

  function quantize(node: Node): boolean {
    const { x } = node.inputs, to = node.outputs[0]!, bounds = boundsOf(node), type = isByte(bounds);
    if (!type || to.value.size < large) return false;
    const { low, high } = bounds,
      use = makeUse(to.shape, type),
      poison = makeUse([], "float32"),
      scaled = scaledInput(x!);
    const clip = { algorithm: "clip", alpha: low, beta: high }, up = { algorithm: "linear", alpha: 1, beta: 0.5 };
    const from = scaled?.from ?? x!, source = rounded.has(from.value) ? widened(from.value, from.shape) : from;
    const inputs: Record<string, Use> = scaled ? { x: source, factor: scaled.factor } : { x: source };
    const factor = scaled ? [{ algorithm: "mul", operand: "factor" }] : [];
    nodes.push({
      kernel: "Chain",
      inputs,
      outputs: [use, poison],
      attrs: attributes({ operations: [...factor, clip, up], floor: true }),
    });
    rounded.set(to.value, { use, poison, bounds });
    if (!(read.get(x!.value) ?? []).some((reader) => reader?.kernel === "RoundClipGrad")) return true;
    const mask = makeUse(to.shape, "u8");
    // |u - middle| <= half of the range; rounded down, so that no u below the range counts
    const middle = (low + high) / 2,
      distance = [{ algorithm: "linear", alpha: 1, beta: -middle }, { algorithm: "abs", alpha: 0, beta: 0 }];
    const operations = [...factor, ...distance, { algorithm: "le", operand: "half" }];
    const half = constant((high - low) / 2);
    nodes.push({
      kernel: "Chain",
      inputs: { ...inputs, half },
      outputs: [mask],
      attrs: attributes({ operations, floor: true }),
    });
    masks.set(x!.value, [...(masks.get(x!.value) ?? []), { mask, bounds }]);
    return true;
  }

  /** x = from * factor, which nobody else reads. */
  function scaledInput(x: Use): { from: Use; factor: Use } | null {
    const product = made.get(x.value), others = read.get(x.value) ?? [];
    if (product?.kernel !== "Multiply") return null;
    if (!others.every((reader) => reader?.kernel === "RoundClip" || reader?.kernel === "RoundClipGrad")) return null;
    const { a, b } = product.inputs, [from, factor] = a!.value.size === 1 ? [b!, a!] : [a!, b!];
    return factor.value.size === 1 && from.value.size === x.value.size ? { from, factor } : null;
  }

  /** A wide copy of rounded values, for who cannot read bytes. */
  function widened(value: Value, shape: readonly number[]): Use {
    const { use, poison } = rounded.get(value)!, wide = makeUse(shape, "float32");
    nodes.push({ kernel: "Convert", inputs: { x: use, poison }, outputs: [wide], attrs: {} });
    return wide;
  }

  function integerConvolution(node: Node): Node | null {
    if (node.kernel !== "Conv2D") return null;
    const { x, filter } = node.inputs,
      noise = made.get(x!.value)?.kernel === "UniformPerturbation" ? made.get(x!.value)! : null;
    const source = noise ? noise.inputs["x"]!.value : x!.value, input = rounded.get(source);
    const levels = input?.use.value.type === "u8" ? levelsOf(filter!, made) : null;
    if (!levels) return null;
    const largest = bytesAreExact ? 128 : Math.floor(LARGEST_PAIR / 2 / input!.bounds.high);
    if (!levels.shifted && Math.max(-levels.bounds.low, levels.bounds.high) > largest) return null;
    const scales = Object.fromEntries(levels.scales.toReversed().map((scale, i) => [`scale${i}`, scale]));
    const wide: Node["inputs"] = noise
      ? { wide: x!, active: noise.inputs["active"]! }
      : levels.shifted
      ? { wide: widened(source, x!.shape) }
      : {};
    return {
      kernel: "IntegerConvolution",
      inputs: {
        x: { ...input!.use, shape: x!.shape },
        poison: input!.poison,
        levels: levels.levels,
        ...scales,
        ...(noise || levels.shifted ? { ...wide, filter: filter! } : {}),
      },
      outputs: node.outputs,
      attrs: attributes({ ...node.attrs, largest }),
    };
  }

  for (const node of graph.nodes) {
    if (node.kernel === "RoundClip" && quantize(node)) continue;
    const { mask } = (node.kernel === "RoundClipGrad" ? masks.get(node.inputs["x"]!.value) : undefined)
      ?.find(({ bounds: { low, high } }) => low === node.attrs["low"] && high === node.attrs["high"]) ?? {};
    const current = mask
      ? {
        ...node,
        kernel: "Chain",
        inputs: { x: node.inputs["dy"]!, mask },
        attrs: attributes({ operations: [{ algorithm: "mul", operand: "mask" }] }),
      }
      : integerConvolution(node) ?? node;
    const inputs: Record<string, Use> = { ...current.inputs };
    for (const [name, use] of Object.entries(inputs)) {
      if (!rounded.has(use.value)) continue;
      if (node.kernel === "UniformPerturbation") {
        Object.assign(inputs, { x: rounded.get(use.value)!.use, poison: rounded.get(use.value)!.poison });
      } else inputs[name] = widened(use.value, use.shape);
    }
    const perturbs = node.kernel === "UniformPerturbation" && inputs["poison"];
    nodes.push({ ...current, ...(perturbs ? { kernel: "PerturbIntegers" } : {}), inputs });
  }
  const outputs = graph.outputs.map((use) => rounded.has(use.value) ? widened(use.value, use.shape) : use);
  return { ...graph, nodes, outputs };
}
