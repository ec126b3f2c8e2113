/** A range that a run of protocol `full` must reach, fixed on 2026-11-29 before the first run. */
export interface Tolerance {
  readonly arm: string;
  /** Null: full precision. */
  readonly bits: { readonly weights: number; readonly activations: number } | null;
  /** `top1`: accuracy in percent; `gap`: points below the full precision that the run started from. */
  readonly quantity: "top1" | "gap";
  readonly least: number;
  readonly most: number;
  /** False: a control, which must fall outside, or the tolerance could not fail. */
  readonly inside: boolean;
  /** Where the range comes from. */
  readonly source: string;
}

const W2A2 = { weights: 2, activations: 2 }, W4A4 = { weights: 4, activations: 4 };

/**
 * Tolerances for ResNet-20 on CIFAR-10 at the literature's length. Published: full precision 91.25 (He et al.,
 * arXiv:1512.03385) to 92.96 (APoT's code); LSQ at 2 bits 90.2 from 91.8 (hustzxd/LSQuantization#2).
 */
export const TOLERANCES: readonly Tolerance[] = [
  {
    arm: "fp",
    bits: null,
    quantity: "top1",
    least: 91.0,
    most: 93.0,
    inside: true,
    source: "91.25 (arXiv:1512.03385) to 92.96 (APoT's code)",
  },
  { arm: "lsq", bits: W4A4, quantity: "gap", least: -Infinity, most: 0.8, inside: true, source: "PACT 0.3, APoT 0.5" },
  {
    arm: "lsq",
    bits: W2A2,
    quantity: "gap",
    least: -Infinity,
    most: 2.5,
    inside: true,
    source: "hustzxd/LSQuantization#2: 1.6; APoT 2.0",
  },
  {
    arm: "lsq_unscaled",
    bits: W2A2,
    quantity: "gap",
    least: -Infinity,
    most: 2.5,
    inside: false,
    source: "control: LSQ without the gradient scale of its step sizes",
  },
];
