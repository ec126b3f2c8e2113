import { InputError } from "../errors.ts";
import type { ModelQuantization } from "../nn/types.ts";
import type { Model } from "../nn/types.ts";
import { quantizerNamed } from "../quant/mod.ts";
import { revisionOf } from "../catalog/revisions.ts";
import type { RunSpec } from "../record/spec.ts";

/**
 * That a run's quantizer is what the code has under that name today.
 * @throws {InputError} If the spec was made for another revision.
 */
export function requireRevision(spec: RunSpec["quantization"]): void {
  if (!spec) return;
  const asked = spec.quantizerRevision ?? 1, own = revisionOf(spec.quantizer);
  if (asked === own) return;
  throw new InputError(
    `Cannot train with revision ${asked} of quantizer ${spec.quantizer} as this version of the suite has revision ${own}: ` +
      "plan the run anew, or check out the commit of that revision",
  );
}

/** The quantizers of every layer of `model`; the first and the last layer take `firstLastBits`. Null: full precision. */
export function quantizationOf(model: Model, spec: RunSpec["quantization"]): ModelQuantization | null {
  if (!spec) return null;
  const quantizer = quantizerNamed(spec.quantizer);
  return Object.fromEntries(model.layers.map((layer) => {
    const inner = layer.position === "inner";
    const weightBits = inner ? spec.weightBits : spec.firstLastBits;
    const activationBits = inner ? spec.activationBits : spec.firstLastBits;
    return [layer.path, {
      weight: quantizer.weight({ bits: weightBits, signed: true }),
      input: quantizer.activation({ bits: activationBits, signed: layer.inputSigned }),
    }];
  }));
}
