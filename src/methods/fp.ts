import { z } from "zod";
import { crossEntropy } from "./losses.ts";
import type { Method, MethodDefinition } from "./types.ts";

function create(): Method {
  return {
    name: "fp",
    quantized: false,
    views: 1,
    usesTeacher: false,
    loss({ student, views, labels, forward }) {
      const { logits, updates } = forward({ network: student, images: views[0]!, training: true, quantized: false });
      return { loss: crossEntropy(logits, labels), logits, updates, metrics: {} };
    },
  };
}

/**
 * Full precision: L = CE(f(x), y).
 *
 * It is the upper reference of every table and the start of every quantized run of the same seed.
 */
export const fp: MethodDefinition = { name: "fp", options: z.strictObject({}), create };
