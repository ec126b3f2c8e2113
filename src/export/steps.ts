/** A traced forward pass as the few steps that networks are made of, batch norm folded into the layer before it. */
import { backend_util } from "@tensorflow/tfjs-core";
import type { AxisPooling } from "../engine/ops.ts";
import { InputError } from "../errors.ts";
import { paths } from "../nn/layers.ts";
import type { Layer, Model } from "../nn/types.ts";
import { type Constant, IMAGES, type Operand, type Operation, type Trace } from "./trace.ts";

/** a · x + b, one number a channel or one in all; left out: 1 and 0. */
interface Affine {
  readonly scale?: readonly number[];
  readonly shift?: readonly number[];
}

/** Zeros around an image. */
export interface Padding {
  readonly top: number;
  readonly left: number;
  readonly bottom: number;
  readonly right: number;
}

/** One step; `inputs` are indices of earlier steps. */
export type Step =
  & { readonly inputs: readonly number[]; readonly shape: readonly number[] }
  & (
    | { readonly kind: "images" | "add" | "relu" | "relu6" | "mean" }
    /** The maximum of each window along one axis: 1 of the height, 2 of the width. */
    | { readonly kind: "maxPool" } & AxisPooling
    | { readonly kind: "affine" } & Affine
    /** A layer, and what follows it before anything else reads its output: a bias, a batch norm. */
    | { readonly kind: "layer"; readonly layer: Layer; readonly padding: Padding } & Affine
  );

const CONVOLUTIONS: readonly string[] = ["Conv2D", "DepthwiseConv2dNative"];

const NO_PADDING: Padding = { top: 0, left: 0, bottom: 0, right: 0 };

/**
 * The steps of a traced pass; the last one gives the result.
 * @throws {InputError} If the model computes with an operation that has no step.
 */
export function stepsOf({ operations, result }: Trace, model: Model): Step[] {
  const uses = new Array<number>(operations.length).fill(0);
  for (const { inputs } of operations) {
    for (const input of Object.values(inputs)) if (typeof input === "number") uses[input]!++;
  }
  const steps: Step[] = [];
  const places: number[] = []; // of an operation: index of its step
  const paddings = new Map<number, Padding>(); // of an operation that only pads
  const operandOf = (operation: Operation, name: string) => operation.inputs[name] as number;

  function push(step: Step): number {
    return steps.push(step) - 1;
  }

  function layerStep(operation: Operation, input: number, weight: Operand): number {
    const layer = layerOf(model, weight);
    if (!layer || [operation.attributes["dilations"] ?? 1].flat().some((dilation) => dilation !== 1)) {
      throw unsupported(model, operation);
    }
    const shapes = { input: operations[input]!.shape, weight: (weight as Constant).shape };
    const own = layer.kind === "dense" ? NO_PADDING : ownPadding(operation, shapes), stated = paddings.get(input);
    const padding = stated ? sumOf(stated, own) : own;
    return push({ kind: "layer", layer, padding, inputs: [places[input]!], shape: operation.shape });
  }

  function affineStep(operation: Operation, input: number, own: Affine): number {
    const place = places[input]!, before = steps[place]!;
    const alone = uses[input] === 1;
    if (alone && (before.kind === "layer" || before.kind === "affine")) {
      steps[place] = { ...before, ...composed(before, own) };
      return place;
    }
    return push({ kind: "affine", ...own, inputs: [place], shape: operation.shape });
  }

  function placeOf(operation: Operation, index: number): number {
    const { kernel, shape } = operation, x = operandOf(operation, "x");
    const padded = Object.values(operation.inputs).some((input) => typeof input === "number" && paddings.has(input));
    if (padded && !CONVOLUTIONS.includes(kernel)) throw unsupported(model, operation);
    switch (kernel) {
      case IMAGES:
        return push({ kind: "images", inputs: [], shape });
      case "Cast":
      case "Identity":
        return places[x]!;
      case "Relu":
      case "Relu6":
        return push({ kind: kernel === "Relu" ? "relu" : "relu6", inputs: [places[x]!], shape });
      case "Mean":
        if (String(operation.attributes["axis"]) !== "1,2" || shape.length !== 2) throw unsupported(model, operation);
        return push({ kind: "mean", inputs: [places[x]!], shape });
      case "MaxPoolAxis": {
        const { axis, size, stride, padding } = operation.attributes as unknown as AxisPooling;
        return push({ kind: "maxPool", axis, size, stride, padding, inputs: [places[x]!], shape });
      }
      case "PadV2":
        paddings.set(index, statedPadding(model, operation));
        return places[x]!;
      case "Conv2D":
      case "DepthwiseConv2dNative":
        return layerStep(operation, x, operation.inputs["filter"]!);
      case "BatchMatMul":
        return layerStep(operation, operandOf(operation, "a"), operation.inputs["b"]!);
      default: {
        const own = affineOf(operation);
        if (own) return affineStep(operation, own.input, own.affine);
        const { a, b } = operation.inputs;
        if (kernel !== "Add" || typeof a !== "number" || typeof b !== "number") throw unsupported(model, operation);
        return push({ kind: "add", inputs: [places[a]!, places[b]!], shape });
      }
    }
  }

  operations.slice(0, result + 1).forEach((operation, index) => places.push(placeOf(operation, index)));
  return steps.slice(0, places[result]! + 1);
}

function unsupported(model: Model, { kernel, shape }: Operation): InputError {
  return new InputError(
    `Cannot export model ${model.name} as its operation ${kernel} with result [${shape.join(", ")}] has no ONNX form ` +
      "yet: add it to src/export/steps.ts",
  );
}

function layerOf(model: Model, weight: Operand): Layer | undefined {
  if (typeof weight === "number") return undefined;
  return model.layers.find((layer) => weight.paths.length === 1 && weight.paths[0] === paths.weight(layer));
}

/** The zeros that a convolution adds by itself. */
function ownPadding(
  { kernel, attributes }: Operation,
  shapes: { input: readonly number[]; weight: readonly number[] },
): Padding {
  type Shape4D = [number, number, number, number];
  const { padInfo: { top, left, bottom, right } } = backend_util.computeConv2DInfo(
    [...shapes.input] as Shape4D,
    [...shapes.weight] as Shape4D,
    attributes["strides"] as number,
    attributes["dilations"] as number,
    attributes["pad"] as "same" | "valid",
    undefined,
    kernel !== "Conv2D",
  );
  return { top, left, bottom, right };
}

function sumOf(a: Padding, b: Padding): Padding {
  return { top: a.top + b.top, left: a.left + b.left, bottom: a.bottom + b.bottom, right: a.right + b.right };
}

function statedPadding(model: Model, operation: Operation): Padding {
  type Paddings = [number[], [number, number], [number, number], number[]];
  const { paddings, constantValue } = operation.attributes as { paddings: Paddings; constantValue: number };
  const [batch, [top, bottom], [left, right], channels] = paddings;
  if (constantValue !== 0 || [...batch, ...channels].some((count) => count !== 0)) throw unsupported(model, operation);
  return { top, left, bottom, right };
}

/** a · x + b where one operand is a constant of a number a channel, or of one in all. */
function affineOf({ kernel, inputs, shape }: Operation): { input: number; affine: Affine } | null {
  const { a, b } = inputs, [input, constant] = typeof a === "number" ? [a, b] : [b, a];
  if (typeof input !== "number" || typeof constant !== "object") return null;
  const values = [...constant.values], fits = values.length === 1 || constant.shape.at(-1) === values.length;
  if (!fits || (values.length > 1 && values.length !== shape.at(-1))) return null;
  const affine = affineBy(kernel, values, constant === b);
  return affine && { input, affine };
}

function affineBy(kernel: string, values: readonly number[], behind: boolean): Affine | null {
  if (kernel === "Multiply") return { scale: values };
  if (kernel === "Add") return { shift: values };
  if (kernel === "Sub" && behind) return { shift: values.map((value) => -value) };
  if (kernel === "RealDiv" && behind) return { scale: values.map((value) => 1 / value) };
  return null;
}

/** `after` applied to the result of `before`. */
function composed(before: Affine, after: Affine): Affine {
  const product = (x: readonly number[] | undefined, y: readonly number[] | undefined) =>
    x && y ? combined(x, y, (p, q) => p * q) : x ?? y;
  const scale = product(before.scale, after.scale), moved = before.shift && product(before.shift, after.scale);
  const shift = moved && after.shift ? combined(moved, after.shift, (p, q) => p + q) : moved ?? after.shift;
  return { ...(scale && { scale }), ...(shift && { shift }) };
}

function combined(x: readonly number[], y: readonly number[], of: (p: number, q: number) => number): number[] {
  const length = Math.max(x.length, y.length);
  return Array.from({ length }, (_, i) => of(x[i % x.length]!, y[i % y.length]!));
}
