import * as tf from "@tensorflow/tfjs-core";
import { z } from "zod";
import { crossEntropy } from "./losses.ts";
import type { Method, MethodDefinition } from "./types.ts";

function create(): Method {
  return {
    name: "qat_two_view",
    quantized: true,
    views: 2,
    usesTeacher: false,
    loss({ student, views, labels, forward }) {
      const how = { training: true, quantized: true } as const;
      const first = forward({ network: student, images: views[0]!, ...how });
      // the running statistics see both views, in turn
      const between = { params: student.params, state: { ...student.state, ...first.updates } };
      const second = forward({ network: between, images: views[1]!, ...how });
      const loss = tf.mul(tf.add(crossEntropy(first.logits, labels), crossEntropy(second.logits, labels)), 0.5);
      return { loss, logits: first.logits, updates: { ...first.updates, ...second.updates }, metrics: {} };
    },
  };
}

/**
 * Control arm of CR: plain quantization-aware training on CR's data budget, two augmented views of each image a step.
 *
 *   L = (CE(f_q(v1), y) + CE(f_q(v2), y)) / 2
 *
 * It shows what CR gains from the second view alone. CR puts its second view through the teacher, without a gradient; here
 * both views train, so this arm costs one backward pass more than CR and the comparison is not in its disfavour.
 *
 * Batch norm: each view is normalised by its own batch, of the size that LSQ and CR have (one batch of both would halve the
 * noise of the statistics); the running statistics are updated with view 1, then with view 2, so that they move twice a step.
 * The gradient scale of a step size counts the elements of one view, as in LSQ.
 *
 * @see ../../docs/methods.md, "Control arms"
 */
export const qatTwoView: MethodDefinition = { name: "qat_two_view", options: z.strictObject({}), create };
