import type { Arm } from "./types.ts";

/** Full precision: the teacher and starting point of every other arm, shared by all papers. */
export const FP = {
  id: "fp",
  method: { name: "fp", options: {} },
  quantizer: null,
  fromTeacher: false,
} as const satisfies Arm;

/** LSQ (Esser et al. 2020, arXiv:1902.08153) from the full-precision weights of the same seed, shared by all papers. */
export const LSQ = {
  id: "lsq",
  method: { name: "qat", options: {} },
  quantizer: "lsq",
  fromTeacher: true,
} as const satisfies Arm;
