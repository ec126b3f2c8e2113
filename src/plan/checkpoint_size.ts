import { weightShape } from "../nn/initialise.ts";
import { modelNamed } from "../nn/mod.ts";
import type { RunSpec } from "../record/spec.ts";

const BYTES_PER_VALUE = 4;
/** Parameters, their momentum, and as much again for a method that keeps an average of the network. */
const COPIES = 3;
/** Mean and variance of a batch norm, beside its gamma and beta. */
const VALUES_PER_CHANNEL = 4;

/** Size of a checkpoint of a run, at most, in MiB; quantizers' own few values are left out. */
export function checkpointMiB(spec: RunSpec): number {
  const model = modelNamed(spec.model).build({ classes: 10, imageChannels: 3 });
  const weights = model.layers.map((layer) => weightShape(layer).reduce((product, size) => product * size, 1));
  const norms = model.norms.map(({ channels }) => VALUES_PER_CHANNEL * channels);
  const values = [...weights, ...norms].reduce((sum, size) => sum + size, 0);
  return COPIES * BYTES_PER_VALUE * values / 2 ** 20;
}
