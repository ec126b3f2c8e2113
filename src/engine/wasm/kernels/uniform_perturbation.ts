/** `UniformPerturbation` of `../../ops.ts`. */
import { philox4x32 } from "../../../random/philox.ts";
import { floatsOf, integersOf, type KernelArguments, makeFloats, numberOf } from "../heap.ts";
import type { TensorInfo } from "@tensorflow/tfjs-core";

const MANTISSA = 2 ** 23 - 1;

/** y = x + active u; element 4 g + i of u is (word i of the block at counter + g, mod 2^23) / 2^23 - 1/2. */
export function uniformPerturbation({ inputs, attrs, backend }: KernelArguments): TensorInfo {
  const y = makeFloats(backend, inputs.x!.shape), x = floatsOf(backend, inputs.x!), to = floatsOf(backend, y);
  const active = floatsOf(backend, inputs.active!)[0]!;
  if (active === 0) {
    to.set(x);
    return y;
  }
  const [k0, k1, c0, c1, c2, c3] = Uint32Array.from(integersOf(backend, inputs.state!)) as unknown as number[];
  const counter = Uint32Array.of(c0!, c1! + numberOf(attrs.stream), c2!, c3!);
  const key = Uint32Array.of(k0!, k1!), block = new Uint32Array(4);
  for (let start = 0; start < to.length; start += 4) {
    philox4x32(counter, key, block);
    for (let i = 0; i < 4 && start + i < to.length; i++) {
      to[start + i] = x[start + i]! + active * ((block[i]! & MANTISSA) / 2 ** 23 - 0.5);
    }
    increment(counter);
  }
  return y;
}

/** Adds 1 to the 128-bit counter. */
function increment(counter: Uint32Array): void {
  for (let i = 0; i < 4; i++) {
    counter[i]! += 1;
    if (counter[i] !== 0) return;
  }
}
