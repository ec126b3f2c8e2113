import { InputError } from "../errors.ts";
import { initialise, type NetworkData, type TensorData, weightShape } from "./initialise.ts";
import { paths } from "./layers.ts";
import type { Layer, Model, ModelDefinition } from "./types.ts";

/** Options of `networkFromTorch`. */
export interface TorchOptions {
  readonly classes: number;
  readonly imageChannels: number;
  /** Seed of a classifier that starts anew; null: the classifier is taken over too. */
  readonly newHead: number | null;
}

/** A tensor of ours: its place there, and the axes that turn one into the other. */
interface Origin {
  readonly name: string;
  /** Its shape there. */
  readonly shape: readonly number[];
  /** Axis of theirs for each of ours. */
  readonly axes: readonly number[];
}

const NORM_NAMES = { gamma: "weight", beta: "bias", mean: "running_mean", variance: "running_var" } as const;

/** [k, k, in, out] from [out, in, k, k], [k, k, c, 1] from [c, 1, k, k], [in, out] from [out, in]. */
function weightAxes(layer: Layer): number[] {
  return { dense: [1, 0], convolution: [2, 3, 1, 0], depthwise: [2, 3, 0, 1] }[layer.kind];
}

function originsOf(model: Model, module: (path: string) => string): Record<"params" | "state", Map<string, Origin>> {
  const params = new Map<string, Origin>(), state = new Map<string, Origin>();
  for (const layer of model.layers) {
    const ours = weightShape(layer), axes = weightAxes(layer), name = module(layer.path);
    const shape = axes.map((_, axis) => ours[axes.indexOf(axis)]!);
    params.set(paths.weight(layer), { name: `${name}.weight`, shape, axes });
    if (layer.kind === "dense") params.set(paths.bias(layer), { name: `${name}.bias`, shape: [ours[1]!], axes: [0] });
  }
  for (const norm of model.norms) {
    for (const [part, leaf] of Object.entries(NORM_NAMES) as [keyof typeof NORM_NAMES, string][]) {
      const origin = { name: `${module(norm.path)}.${leaf}`, shape: [norm.channels], axes: [0] };
      (part === "gamma" || part === "beta" ? params : state).set(paths[part](norm), origin);
    }
  }
  return { params, state };
}

/** The tensor with its axes in another order. */
function transposed({ shape, values }: TensorData, axes: readonly number[]): TensorData {
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, dim) => product * dim, 1));
  const result = new Float32Array(values.length), dims = axes.map((axis) => shape[axis]!);
  const index = dims.map(() => 0);
  for (let to = 0; to < result.length; to++) {
    result[to] = values[axes.reduce((from, axis, i) => from + strides[axis]! * index[i]!, 0)]!;
    for (let i = dims.length - 1; i >= 0 && ++index[i]! === dims[i]; i--) index[i] = 0;
  }
  return { shape: dims, values: result };
}

/** The first few of `names`. */
function listed(names: readonly string[]): string {
  return names.slice(0, 3).join(", ") + (names.length > 3 ? ` and ${names.length - 3} more` : "");
}

/**
 * A full-precision network from the tensors of its PyTorch form, in torchvision's or timm's names and layouts.
 *
 * Strict: every tensor must be there, in the right shape, and no other but PyTorch's counts of batches.
 *
 * @throws {InputError} If the model has no known PyTorch form, or tensors are missing, unknown or of another shape.
 */
export function networkFromTorch(
  definition: ModelDefinition,
  tensors: Readonly<Record<string, TensorData>>,
  options: TorchOptions,
): NetworkData {
  const cannot = `Cannot import a network as model "${definition.name}"`;
  if (!definition.foreign) {
    throw new InputError(`${cannot} as no PyTorch library has it: choose a model in ImageNet form`);
  }
  const model = definition.build(options), { source, module } = definition.foreign, head = model.layers.at(-1)!;
  const { params, state } = originsOf(model, module), all = [...params.values(), ...state.values()];
  const fromHead = ({ name }: Origin) => name.startsWith(`${module(head.path)}.`);
  const taken = all.filter((origin) => options.newHead === null || !fromHead(origin));
  const missing = taken.filter(({ name }) => !Object.hasOwn(tensors, name)).map(({ name }) => name);
  const known = new Set(all.map(({ name }) => name));
  const extra = Object.keys(tensors).filter((name) => !known.has(name) && !name.endsWith(".num_batches_tracked"));
  if (missing.length > 0) {
    throw new InputError(`${cannot} as tensors are missing: ${listed(missing)}; it wants those of ${source}`);
  }
  if (extra.length > 0) {
    throw new InputError(`${cannot} as tensors are unknown: ${listed(extra)}; it wants those of ${source}`);
  }
  const misshapen = taken.find(({ name, shape }) => String(tensors[name]!.shape) !== String(shape));
  if (misshapen) {
    const { name, shape } = misshapen,
      remedy = fromHead(misshapen)
        ? `the data set has ${options.classes} classes, so give --new-head to start the classifier anew`
        : `it wants those of ${source}`;
    throw new InputError(`${cannot} as ${name} is [${tensors[name]!.shape}] instead of [${shape}]: ${remedy}`);
  }
  const start = options.newHead === null ? null : initialise(model, options.newHead).params;
  const converted = (origins: ReadonlyMap<string, Origin>) =>
    Object.fromEntries(
      Array.from(origins, ([path, origin]) => [
        path,
        start && fromHead(origin) ? start[path]! : transposed(tensors[origin.name]!, origin.axes),
      ]),
    );
  return { params: converted(params), state: converted(state) };
}
