import { z } from "zod";
import { averagingFactor, runningAverage } from "./averaging.ts";
import { crossEntropy } from "./losses.ts";
import type { Method, MethodDefinition } from "./types.ts";

const optionsSchema = z.strictObject({
  /** Upper bound of the averaging factor. */
  alpha: z.number().min(0).max(1).default(0.999),
});
type Options = z.infer<typeof optionsSchema>;

const AVERAGE = runningAverage("average");

function create({ alpha }: Options): Method {
  return {
    name: "qat_ema",
    quantized: true,
    views: 1,
    usesTeacher: false,
    initialMemory: (_model, student) => AVERAGE.start(student),
    stepInputs: ({ step }) => ({ emaFactor: Float32Array.of(averagingFactor(step + 1, alpha)) }),
    loss({ student, views, labels, forward }) {
      const { logits, updates } = forward({ network: student, images: views[0]!, training: true, quantized: true });
      return { loss: crossEntropy(logits, labels), logits, updates, metrics: {} };
    },
    afterUpdate: ({ memory, student, inputs }) =>
      AVERAGE.next(memory, { network: student, factor: inputs["emaFactor"]! }),
    evaluated: (_student, memory) => AVERAGE.network(memory),
  };
}

/**
 * Control arm of CR: plain quantization-aware training, evaluated with averaged tensors.
 *
 *   L = CE(f_q(x), y);  θ̄ <- a θ̄ + (1 - a) θ after each update,  a = min(1 - 1/(t + 1), alpha), t = 1, 2, ...
 *
 * θ: latent weights, step sizes, batch norm parameters and statistics; the average is quantized with its own step sizes, its
 * integers are never averaged. It starts as a copy of the calibrated student. Training never sees it: the student is LSQ's to
 * the bit. It shows what CR would gain from averaging alone, with CR's own alpha.
 *
 * @see ../../docs/methods.md, "Control arms"; Tarvainen and Valpola, NeurIPS 2017, arXiv:1703.01780 (the factor a)
 */
export const qatEma: MethodDefinition = { name: "qat_ema", options: optionsSchema, create };
