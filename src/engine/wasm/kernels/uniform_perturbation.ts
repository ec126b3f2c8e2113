/** `UniformPerturbation` of `../../ops.ts`. */
import { uniformBlock } from "../../../random/philox.ts";
import { floatsOf, integersOf, type KernelArguments, makeFloats, numberOf } from "../heap.ts";
import type { TensorInfo } from "@tensorflow/tfjs-core";

/** y = x + active u, u as `uniformBlock` draws it; nothing is drawn where active is 0. */
export function uniformPerturbation({ inputs, attrs, backend }: KernelArguments): TensorInfo {
  const y = makeFloats(backend, inputs.x!.shape), x = floatsOf(backend, inputs.x!), to = floatsOf(backend, y);
  const active = floatsOf(backend, inputs.active!)[0]!;
  if (active === 0) {
    to.set(x);
    return y;
  }
  const state = integersOf(backend, inputs.state!);
  const noise = uniformBlock(state, { length: to.length, stream: numberOf(attrs.stream) });
  for (let i = 0; i < to.length; i++) to[i] = x[i]! + active * noise[i]!;
  return y;
}
