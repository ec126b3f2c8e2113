/** What a run tells of where it stands: its progress, its epochs and its end. */
import type { Epoch } from "../record/record.ts";
import type { TrainOutcome } from "../record/trainer.ts";
import type { Evaluator } from "./evaluation.ts";
import type { Frame } from "./frame.ts";
import { collapsed, crossEntropyOf, type Position } from "./position.ts";
import type { TrainingTensors } from "./step.ts";
import { rateAt } from "./step_inputs.ts";

/** Tells the loss of a step that was just read. */
export function report(frame: Frame, position: Position, loss: number): void {
  const { spec, onProgress } = frame.request;
  onProgress?.({
    epoch: Math.ceil(position.step / frame.stepsPerEpoch),
    epochs: spec.recipe.epochs,
    step: position.step,
    steps: frame.steps,
    loss,
    imagesPerSecond: imagesPerSecond(frame, position),
  });
}

function imagesPerSecond(frame: Frame, position: Position): number {
  return position.step * frame.request.spec.recipe.batchSize / Math.max(position.trainSeconds, 1e-9);
}

/** Evaluates, and turns the epoch's sums into a point of the curve. */
export function closeEpoch(
  frame: Frame,
  position: Position,
  { training, evaluator }: { readonly training: TrainingTensors; readonly evaluator: Evaluator },
): Position {
  const { spec, dataset, onEpoch } = frame.request, steps = frame.stepsPerEpoch;
  const { loss, correct, ...own } = position.sums;
  const network = frame.method.evaluated?.(training, training.memory) ?? training;
  const evaluation = evaluator.evaluate(network, frame.evaluated.split, {
    indices: frame.evaluated.indices,
    imageShape: dataset.imageShape,
  });
  const epoch: Epoch = {
    epoch: position.step / steps,
    learningRate: rateAt(frame, position.step - 1),
    trainLoss: loss! / steps,
    trainTop1Percent: 100 * correct! / (steps * spec.recipe.batchSize),
    testLoss: evaluation.loss,
    testTop1Percent: evaluation.top1Percent,
    metrics: Object.fromEntries(Object.entries(own).map(([name, sum]) => [name, sum / steps])),
  };
  onEpoch?.(epoch);
  return { ...position, sums: {}, curve: [...position.curve, epoch] };
}

/** The end of a run that learns nothing any more; null: it learns. */
export function collapse(frame: Frame, position: Position): TrainOutcome | null {
  const { curve } = position;
  if (!collapsed(curve, frame.dataset.classes)) return null;
  const last = curve.at(-1)!;
  return outcome(frame, position, {
    status: "diverged",
    reason: `training collapsed to chance: loss ${crossEntropyOf(last).toFixed(4)}, accuracy ` +
      `${last.trainTop1Percent.toFixed(2)} % in epoch ${curve.length}`,
  });
}

/** How a run ended, or that it was stopped. */
export function outcome(
  frame: Frame,
  position: Position,
  end: Pick<TrainOutcome, "status" | "reason">,
): TrainOutcome {
  const last = position.curve.at(-1);
  return {
    ...end,
    metrics: end.status === "done" && last
      ? { top1Percent: last.testTop1Percent, loss: last.testLoss, ...last.metrics }
      : null,
    curve: position.curve,
    imagesPerSecond: imagesPerSecond(frame, position),
    ...(position.spent ? { spentBefore: position.spent } : {}),
    networkSha256: null,
    teacherSha256: null,
  };
}
