/** Weight and activation bits of a quantized network; the first and the last layer have 8. */
export interface Bits {
  readonly weights: number;
  readonly activations: number;
}

export const W4A4: Bits = { weights: 4, activations: 4 };
export const W2A4: Bits = { weights: 2, activations: 4 };
export const W2A2: Bits = { weights: 2, activations: 2 };

/** Writes bits as people do: `W2A4`. */
export function formatBits(bits: Bits): string {
  return `W${bits.weights}A${bits.activations}`;
}

/** Writes the bits of a cell or a run: `FP` or `W2A4`. */
export function bitsTitle({ weightBits, activationBits }: {
  readonly weightBits: number | null;
  readonly activationBits: number | null;
}): string {
  return weightBits === null ? "FP" : formatBits({ weights: weightBits, activations: activationBits! });
}
