import { z } from "zod";
import { disposeImages, measuredImages } from "./batches.ts";
import { testScoring } from "./test_scores.ts";
import type { MeasurementDefinition, Measuring, Subject } from "./types.ts";

const BATCH = 128;

const optionsSchema = z.strictObject({
  /** Test images of the accuracies; all where there are fewer. */
  testImages: z.int().positive().default(10_000),
});
type Options = z.infer<typeof optionsSchema>;

function start(subject: Subject, { testImages }: Options): Measuring {
  const scoring = testScoring(subject), { dataset, testIndices } = subject;
  return {
    measure(network, trained) {
      const images = measuredImages(dataset.test, testIndices, { ...dataset, count: testImages, batchSize: BATCH });
      const evaluated = scoring.scoresOf(network, images), own = scoring.scoresOf(trained, images);
      disposeImages(images);
      return {
        testImages: images.count,
        ...evaluated,
        unaveragedTop1Percent: own.top1Percent,
        unaveragedLoss: own.loss,
      };
    },
    dispose: () => scoring.dispose(),
  };
}

/**
 * What an arm that is evaluated on an average has without it: top-1 and loss of the test images with the network that is
 * evaluated, and with the one that training updated, which is the same where a method evaluates no average.
 *
 * The arm of averaged weights trains LSQ's own network, so its second number is LSQ's accuracy from another training of the
 * same spec: on the same machine the same, on another kind of device what that device makes of it.
 */
export const unaveraged: MeasurementDefinition = { name: "unaveraged", options: optionsSchema, start };
