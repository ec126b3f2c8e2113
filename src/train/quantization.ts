import type { ModelQuantization } from "../nn/types.ts";
import type { Model } from "../nn/types.ts";
import { quantizerNamed } from "../quant/mod.ts";
import type { RunSpec } from "../runs/spec.ts";

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
