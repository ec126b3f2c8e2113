/** `CropFlip` of `../../ops.ts`. */
import type { TensorInfo } from "@tensorflow/tfjs-core";
import { copyAugmented } from "../../../data/augment.ts";
import { integersOf, type KernelArguments } from "../heap.ts";

/** As the batches' own copy does it. */
export function cropFlip({ inputs, backend }: KernelArguments): TensorInfo {
  const shape = inputs.x!.shape as [number, number, number, number];
  const y = backend.makeOutput([...shape], "int32");
  const target = integersOf(backend, y), source = integersOf(backend, inputs.x!);
  const crops = integersOf(backend, inputs.crops!);
  target.fill(0);
  for (let n = 0; n < shape[0]; n++) {
    const [top, left, flip] = crops.subarray(3 * n, 3 * n + 3);
    copyAugmented(source, target, {
      imageShape: [shape[1], shape[2], shape[3]],
      from: n,
      to: n,
      augmentation: { top: top!, left: left!, flip: flip === 1 },
    });
  }
  return y;
}
