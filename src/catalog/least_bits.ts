import { InputError } from "../errors.ts";
import type { RunSpec } from "../record/spec.ts";

/** Tensors that take values on both sides of 0. */
export type SignedTensor = "weight" | "signedActivation";

/**
 * Least bits of each quantizer. Below them its grid has levels on one side of 0 alone, as no paper has such a form: half of
 * the values, or nearly all, would become 0.
 */
const LEAST_BITS: Readonly<Record<string, Readonly<Record<SignedTensor, number>>>> = {
  lsq: { weight: 2, signedActivation: 2 },
  lsq_unscaled: { weight: 2, signedActivation: 2 },
  lsq_asymmetric: { weight: 2, signedActivation: 2 },
  lsq_plus: { weight: 2, signedActivation: 1 },
  lsq_plus_range: { weight: 2, signedActivation: 1 },
  pact: { weight: 1, signedActivation: 2 },
  dorefa: { weight: 1, signedActivation: 2 },
};

/** Quantizers that have a line. */
export const LIMITED: readonly string[] = Object.keys(LEAST_BITS);

/** Without a line: from 2 bits on a grid has levels on both sides of 0. */
const LEAST_WITHOUT_LINE = 2;

const WORDS: Readonly<Record<SignedTensor, string>> = {
  weight: "weights",
  signedActivation: "activations of both signs",
};

/** The least bits of a kind of tensor. */
export function leastBits(quantizer: string, kind: SignedTensor): number {
  return LEAST_BITS[quantizer]?.[kind] ?? LEAST_WITHOUT_LINE;
}

function reasonFor(quantizer: string): string {
  return LIMITED.includes(quantizer)
    ? "its paper has no such grid around 0"
    : "src/catalog/least_bits.ts has no line for it";
}

/**
 * @param where Such as `layer "stem/conv"`.
 * @throws {InputError} If a quantizer has too few bits for such a tensor; the quantizers that can are named.
 */
export function requireBitsFor(
  quantizer: string,
  { kind, bits, where }: { readonly kind: SignedTensor; readonly bits: number; readonly where: string },
): void {
  const least = leastBits(quantizer, kind);
  if (bits >= least) return;
  const able = LIMITED.filter((name) => bits >= leastBits(name, kind));
  throw new InputError(
    `Cannot quantize ${WORDS[kind]} of ${where} to ${bits} bit with quantizer ${quantizer} as ${
      reasonFor(quantizer)
    }: ` +
      `take at least ${least} bits, or quantizer ${able.join(", ")}`,
  );
}

/** The same of a spec, before its model is built: of the weights, and of the images, which the first layer takes. */
export function requireBitsOfSpec({ quantization, model }: RunSpec): void {
  if (quantization === null) return;
  const { quantizer, weightBits, firstLastBits } = quantization;
  requireBitsFor(quantizer, { kind: "weight", bits: Math.min(weightBits, firstLastBits), where: model });
  requireBitsFor(quantizer, { kind: "signedActivation", bits: firstLastBits, where: `the first layer of ${model}` });
}
