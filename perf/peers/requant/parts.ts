/** A method's step beside its parts, in turn in one process: the LSQ step, and the method's extra forward passes. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import type { Engine } from "../../../src/engine/types.ts";
import { isQuantizerPath } from "../../../src/nn/layers.ts";
import { forward, normaliseImages } from "../../../src/train/forward.ts";
import { zerosLike } from "../../../src/train/tensors.ts";
import type { Leaves } from "../../../src/tree.ts";
import { processSeconds } from "../processes.ts";
import type { Parts } from "../measurement.ts";
import { median } from "../result.ts";
import { ARMS, BASE_ARM } from "../steps.ts";
import { stepOptions } from "../work.ts";
import { type Start, type Stepper, stepperOf } from "./stepper.ts";

type Network = { params: Leaves<Tensor>; state: Leaves<Tensor> };

/** The same tensors, to be disposed apart. */
function clones(leaves: Leaves<Tensor>): Record<string, Tensor> {
  return Object.fromEntries(Object.entries(leaves).map(([path, tensor]) => [path, tf.clone(tensor)]));
}

/** The LSQ step on the same batch, from the network as it is now; LSQ has no zero points. */
function baseStepper(engine: Engine, { work, ...start }: Omit<Start, "training">, network: Network): Stepper {
  const params = clones(network.params);
  return stepperOf(engine, {
    ...start,
    work: { ...work, arm: BASE_ARM },
    training: {
      params,
      velocity: zerosLike(params),
      state: clones(Object.fromEntries(Object.entries(network.state).filter(([path]) => !isQuantizerPath(path)))),
      memory: {},
    },
    teacher: { params: {}, state: {} },
    images: { view0: start.images["view0"]! },
  });
}

/** The method's extra pass at inference over its last view, its logits read; null: the method has none. */
function extraPass(engine: Engine, start: Omit<Start, "training">, network: Network): (() => void) | null {
  const { work, images, teacher } = start, kind = ARMS[work.arm].extraPass;
  if (kind === null) return null;
  const { model, quantization, scale } = stepOptions(work), quantized = kind === "quantized";
  const program = engine.compile((inputs: { network: Network; images: Tensor }) => {
    const view = normaliseImages(inputs.images, scale);
    const { logits } = forward(model, quantization, {
      network: inputs.network,
      images: view,
      training: false,
      quantized,
    });
    return { logits };
  });
  const { params, state } = quantized ? network : teacher, view = images[Object.keys(images).sort().at(-1)!]!;
  return () => {
    const { logits } = program({ network: { params, state }, images: view });
    logits.dataSync();
    logits.dispose();
  };
}

/** Medians of processor time (on a GPU: by the clock), one of each in turn, `repeats` times after one to warm up. */
export function measureParts(
  engine: Engine,
  { start, stepper, repeats }: { start: Omit<Start, "training">; stepper: Stepper; repeats: number },
): Parts {
  const { params, state } = stepper.training();
  const network = { params: clones(params), state: clones(state) }; // the stepper disposes its own
  const base = baseStepper(engine, start, network), pass = extraPass(engine, start, network);
  const now = engine.device === "gpu" ? () => performance.now() / 1000 : processSeconds;
  const seconds = (run: () => void): number => {
    const before = now();
    run();
    return now() - before;
  };
  const step: number[] = [], lsq: number[] = [], passes: number[] = [];
  for (let i = -1; i < repeats; i++) {
    const times = [() => stepper.step(i + 1), () => base.step(i + 1), () => pass?.()].map(seconds);
    if (i < 0) continue;
    [step, lsq, passes].forEach((list, part) => list.push(times[part]!));
  }
  return { step: median(step), lsq: median(lsq), passes: pass ? median(passes) : 0 };
}
