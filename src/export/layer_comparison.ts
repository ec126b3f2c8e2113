/** The integers of each layer's input, by ONNX Runtime and by an engine of ours, image by image. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import type { Engine } from "../engine/types.ts";
import type { NetworkTensors } from "../methods/types.ts";
import type { Hooks, Layer, Model, ModelQuantization } from "../nn/types.ts";
import { ownLeaves, paths } from "../nn/layers.ts";
import { forward, type ImageScale, normaliseImages } from "../train/forward.ts";
import type { Leaves } from "../tree.ts";

/**
 * An integer that lies on a rounding edge: the value before rounding is at most this far from halfway between two integers,
 * relative to its size, so that the order of a float32 sum decides.
 */
export const TIE = 1e-4;

/** The comparison of one layer over all images. */
export interface LayerComparison {
  readonly path: string;
  readonly integers: number;
  /** Integers that differ in images whose earlier layers are equal: each needs a reason of its own. */
  readonly first: number;
  /** Those of `first` that are ties. */
  readonly ties: number;
  /** Integers that differ in images where an earlier layer differs already. */
  readonly later: number;
  /** Farthest from a rounding edge among `first`. */
  readonly farthest: number;
}

/** The first layer of an image with a difference. */
export interface FirstDifference {
  readonly path: string;
  /** True: all its integers that differ are ties, so that the order of a sum explains all that follows. */
  readonly tied: boolean;
}

/** One layer's input in both, [images, height, width, channels] or [images, channels]. */
interface Pair {
  readonly ours: Float32Array;
  readonly theirs: ArrayLike<number>;
  /** Before rounding, in units of the step. */
  readonly unrounded: Float32Array;
}

/** Collects comparisons batch by batch. */
export class LayerComparer {
  readonly #layers: readonly Layer[];
  readonly #counts = new Map<string, { -readonly [Key in keyof Omit<LayerComparison, "path">]: number }>();

  constructor(layers: readonly Layer[]) {
    this.#layers = layers;
    for (const { path } of layers) this.#counts.set(path, { integers: 0, first: 0, ties: 0, later: 0, farthest: 0 });
  }

  /**
   * Adds a batch.
   * @returns By image: the first layer with a difference, or null.
   */
  add(images: number, pairOf: (layer: Layer) => Pair): (FirstDifference | null)[] {
    const firstOf = new Array<{ path: string; tied: boolean } | null>(images).fill(null);
    for (const layer of this.#layers) {
      const { ours, theirs, unrounded } = pairOf(layer), size = ours.length / images;
      const count = this.#counts.get(layer.path)!;
      count.integers += ours.length;
      for (let i = 0; i < ours.length; i++) {
        if (ours[i] === theirs[i]) continue;
        const image = Math.floor(i / size);
        const first = firstOf[image] ??= { path: layer.path, tied: true };
        if (first.path !== layer.path) {
          count.later++;
          continue;
        }
        const distance = distanceToEdge(unrounded[i]!), near = TIE * Math.max(1, Math.abs(unrounded[i]!));
        count.first++;
        if (distance <= near && Math.abs(ours[i]! - theirs[i]!) === 1) count.ties++;
        else first.tied = false;
        count.farthest = Math.max(count.farthest, distance);
      }
    }
    return firstOf;
  }

  get result(): LayerComparison[] {
    return [...this.#counts].map(([path, counts]) => ({ path, ...counts }));
  }
}

/** Distance of a number from halfway between two integers. */
function distanceToEdge(value: number): number {
  return Math.abs(value - Math.floor(value) - 0.5);
}

/** The integers and unrounded values of a batch by our engine, by layer path. */
export interface LayerInputs {
  readonly integers: Readonly<Record<string, Float32Array>>;
  readonly unrounded: Readonly<Record<string, Float32Array>>;
}

type Batch = { network: { params: Leaves<Tensor>; state: Leaves<Tensor> }; images: Tensor };

/**
 * Programs that give what enters all layers: one for the integers and one for what is rounded. An engine may join what is
 * before a rounding into one pass with it, which moves ties; who reads what is rounded would keep it from doing so.
 */
export function layerInputs(
  engine: Engine,
  { model, quantization, scale }: { model: Model; quantization: ModelQuantization; scale: ImageScale },
): { of(network: NetworkTensors, images: Tensor): LayerInputs; dispose(): void } {
  const programOf = (hooksInto: (found: Record<string, Tensor>) => Hooks) =>
    engine.compile(({ network, images }: Batch) => {
      const found: Record<string, Tensor> = {}, pass = { network, images: normaliseImages(images, scale) };
      forward(model, quantization, { ...pass, training: false, quantized: true, hooks: hooksInto(found) });
      return found;
    });
  /** Layers whose quantizer states its integers as they are; in `values` the zero point is taken off. */
  const stated = new Set<string>();
  const programs = {
    integers: programOf((found) => ({
      input(layer, input) {
        if (input.levels) stated.add(layer.path);
        found[layer.path] = tf.clone(input.levels ?? input.values);
        return input;
      },
    })),
    unrounded: programOf((found) => ({
      scaled(layer, scaled) {
        found[layer.path] = tf.clone(scaled);
        return scaled;
      },
    })),
  };
  return {
    of(network, images) {
      const read = (kind: keyof typeof programs) => {
        const found = programs[kind]({ network: { params: network.params, state: network.state }, images });
        const inputs = Object.fromEntries(model.layers.map((layer) => {
          const own = ownLeaves(network, paths.inputQuantizer(layer));
          const plain = Object.fromEntries(
            Object.entries(own).map(([name, x]) => [name, x.dataSync() as Float32Array]),
          );
          const zero = quantization[layer.path]!.input.grid!(plain).zero[0]!;
          const values = found[layer.path]!.dataSync() as Float32Array;
          const shift = kind === "integers" && stated.has(layer.path) ? 0 : zero;
          return [layer.path, shift === 0 ? Float32Array.from(values) : values.map((value) => value + shift)] as const;
        }));
        tf.dispose(found);
        return inputs;
      };
      return { integers: read("integers"), unrounded: read("unrounded") };
    },
    dispose() {
      for (const program of Object.values(programs)) program.dispose();
    },
  };
}
