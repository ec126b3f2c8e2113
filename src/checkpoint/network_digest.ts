import { createHash } from "node:crypto";
import type { TensorData } from "../nn/initialise.ts";

/** What of a checkpoint is the network: parameters and running statistics, not the optimizer's memory. */
export const OF_NETWORK = /^(params|state)\//;

/**
 * SHA-256 of a network: of name, shape and float32 bytes of each of its tensors, by name.
 * @param tensors Of a checkpoint; those that are not of the network are passed over.
 */
export function networkSha256(tensors: Readonly<Record<string, TensorData>>): string {
  const hash = createHash("sha256");
  for (const name of Object.keys(tensors).filter((name) => OF_NETWORK.test(name)).sort()) {
    const { shape, values } = tensors[name]!;
    hash.update(`${name} ${shape.join(" ")}\n`);
    hash.update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  }
  return hash.digest("hex");
}
