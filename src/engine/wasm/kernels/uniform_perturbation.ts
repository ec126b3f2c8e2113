/** `UniformPerturbation` of `../../ops.ts`. */
import { addUniformNoise } from "../../../random/philox.ts";
import { floatsOf, integersOf, type KernelArguments, makeFloats, numberOf } from "../heap.ts";
import type { TensorInfo } from "@tensorflow/tfjs-core";

/** y = x + active u, u as `addUniformNoise` draws it; nothing is drawn where active is 0. */
export function uniformPerturbation({ inputs, attrs, backend }: KernelArguments): TensorInfo {
  const y = makeFloats(backend, inputs.x!.shape), to = floatsOf(backend, y);
  const factor = floatsOf(backend, inputs.active!)[0]!, state = integersOf(backend, inputs.state!);
  to.set(floatsOf(backend, inputs.x!));
  if (factor !== 0) addUniformNoise(to, { state, stream: numberOf(attrs.stream), factor });
  return y;
}
