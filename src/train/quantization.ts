import type { Dataset } from "../data/types.ts";
import { InputError } from "../errors.ts";
import { modelNamed } from "../nn/mod.ts";
import type { Model, ModelQuantization } from "../nn/types.ts";
import { quantizerNamed } from "../quant/mod.ts";
import { requireBitsFor } from "../catalog/least_bits.ts";
import { revisionOf } from "../catalog/revisions.ts";
import type { RunSpec } from "../record/spec.ts";

/** @throws {InputError} If the spec was made for another revision of its quantizer than the code has. */
export function requireRevision(spec: RunSpec["quantization"]): void {
  if (!spec) return;
  const asked = spec.quantizerRevision ?? 1, own = revisionOf(spec.quantizer);
  if (asked === own) return;
  throw new InputError(
    `Cannot train with revision ${asked} of quantizer ${spec.quantizer} as this version of the suite has revision ${own}: ` +
      "plan the run anew, or check out the commit of that revision",
  );
}

/**
 * The quantizers of every layer of `model`; the first and the last layer take `firstLastBits`. Null: full precision.
 * @throws {InputError} If a layer has too few bits for the quantizer.
 */
export function quantizationOf(model: Model, spec: RunSpec["quantization"]): ModelQuantization | null {
  if (!spec) return null;
  const quantizer = quantizerNamed(spec.quantizer);
  return Object.fromEntries(model.layers.map((layer) => {
    const inner = layer.position === "inner";
    const weightBits = inner ? spec.weightBits : spec.firstLastBits;
    const activationBits = inner ? spec.activationBits : spec.firstLastBits;
    const where = `layer "${layer.path}"`;
    requireBitsFor(quantizer.name, { kind: "weight", bits: weightBits, where });
    if (layer.inputSigned) {
      requireBitsFor(quantizer.name, { kind: "signedActivation", bits: activationBits, where });
    }
    return [layer.path, {
      name: quantizer.name,
      weight: quantizer.weight({ bits: weightBits, signed: true }),
      input: quantizer.activation({ bits: activationBits, signed: layer.inputSigned }),
    }];
  }));
}

/** The model of a spec on a data set, and its quantizers. */
export function networkOf(
  spec: Pick<RunSpec, "model" | "quantization">,
  { classes, imageShape }: Pick<Dataset, "classes" | "imageShape">,
): { model: Model; quantization: ModelQuantization | null } {
  const model = modelNamed(spec.model).build({ classes, imageChannels: imageShape[2] });
  return { model, quantization: quantizationOf(model, spec.quantization) };
}

/** Indices of the test images of a spec. */
export function testIndices({ testExamples }: RunSpec["dataset"], { test }: Pick<Dataset, "test">): Uint32Array {
  return Uint32Array.from({ length: testExamples ?? test.count }, (_, i) => i);
}
