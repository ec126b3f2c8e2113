import { z } from "zod";
import { testEvaluator } from "./batches.ts";
import type { MeasurementDefinition, Measuring, Subject } from "./types.ts";

const optionsSchema = z.strictObject({
  /** Test images of the accuracies; all where there are fewer. */
  testImages: z.int().positive().default(10_000),
});
type Options = z.infer<typeof optionsSchema>;

function start(subject: Subject, { testImages }: Options): Measuring {
  const evaluator = testEvaluator(subject), { dataset: { test, imageShape }, testIndices } = subject;
  const indices = testIndices.subarray(0, testImages);
  return {
    measure(network, trained) {
      const evaluated = evaluator.evaluate(network, test, { indices, imageShape });
      const own = evaluator.evaluate(trained, test, { indices, imageShape });
      return {
        testImages: indices.length,
        ...evaluated,
        unaveragedTop1Percent: own.top1Percent,
        unaveragedLoss: own.loss,
      };
    },
    dispose: () => evaluator.dispose(),
  };
}

/**
 * Top-1 and loss of the test images without the average: of the network that is evaluated, and of the one that training
 * updated. Both are the same where a method evaluates no average.
 *
 * The arm of averaged weights trains LSQ's own network, so its second number is LSQ's accuracy from another training of the
 * same spec: the same on the same machine, slightly another on another kind of device.
 */
export const unaveraged: MeasurementDefinition = { name: "unaveraged", options: optionsSchema, start };
