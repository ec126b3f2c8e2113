import { z } from "zod";
import { crossEntropy } from "./losses.ts";
import type { Method, MethodDefinition } from "./types.ts";

function create(): Method {
  return {
    name: "qat",
    quantized: true,
    views: 1,
    usesTeacher: false,
    loss({ student, views, labels, forward }) {
      const { logits, updates } = forward({ network: student, images: views[0]!, training: true, quantized: true });
      return { loss: crossEntropy(logits, labels), logits, updates, metrics: {} };
    },
  };
}

/**
 * Plain quantization-aware training: L = CE(f_q(x), y), f_q the fake-quantized network, from the full-precision weights of
 * the same seed. With quantizer `lsq` this is LSQ (Esser et al., ICLR 2020, arXiv:1902.08153).
 */
export const qat: MethodDefinition = { name: "qat", options: z.strictObject({}), create };
