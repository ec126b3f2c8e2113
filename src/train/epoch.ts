/** The numbers of a run: each step's sums, each epoch's point of the curve, and its end. */
import type { Position } from "../checkpoint/checkpoint.ts";
import type { Epoch } from "../record/record.ts";
import type { TrainOutcome, TrainProgress } from "../record/trainer.ts";
import type { Evaluator } from "./evaluation.ts";
import type { Setup } from "./setup.ts";
import type { TrainingTensors } from "./step.ts";
import { rateAt } from "./step_inputs.ts";

/** The position one step further, with the step's metrics added. */
export function advanced(position: Position, metrics: Record<string, number>, seconds: number): Position {
  const sums = { ...position.sums };
  for (const [name, value] of Object.entries(metrics)) sums[name] = (sums[name] ?? 0) + value;
  return { ...position, step: position.step + 1, sums, trainSeconds: position.trainSeconds + seconds };
}

/** Progress after a step, for people. */
export function progressOf(setup: Setup, position: Position, loss: number): TrainProgress {
  return {
    epoch: Math.ceil(position.step / setup.stepsPerEpoch),
    epochs: setup.spec.recipe.epochs,
    step: position.step,
    steps: setup.steps,
    loss,
    imagesPerSecond: imagesPerSecond(setup, position),
  };
}

function imagesPerSecond(setup: Setup, position: Position): number {
  return position.step * setup.spec.recipe.batchSize / Math.max(position.trainSeconds, 1e-9);
}

/** Evaluates, and turns the epoch's sums into a point of the curve. */
export function closeEpoch(
  setup: Setup,
  position: Position,
  { training, evaluator }: { readonly training: TrainingTensors; readonly evaluator: Evaluator },
): Position {
  const { spec, stepsPerEpoch: steps } = setup, { loss, correct, ...own } = position.sums;
  const network = setup.method.evaluated?.(training, training.memory) ?? training;
  const evaluation = evaluator.evaluate(network, setup.evaluated.split, {
    indices: setup.evaluated.indices,
    imageShape: setup.dataset.imageShape,
  });
  const epoch: Epoch = {
    epoch: position.step / steps,
    learningRate: rateAt(setup, position.step - 1),
    trainLoss: loss! / steps,
    trainTop1Percent: 100 * correct! / (steps * spec.recipe.batchSize),
    testLoss: evaluation.loss,
    testTop1Percent: evaluation.top1Percent,
    metrics: Object.fromEntries(Object.entries(own).map(([name, sum]) => [name, sum / steps])),
  };
  return { ...position, sums: {}, curve: [...position.curve, epoch] };
}

/** The name of a number of an epoch that is not finite; undefined: all are. */
export function oddNumberOf({ metrics, ...numbers }: Epoch): string | undefined {
  return Object.entries({ ...metrics, ...numbers }).find(([, value]) => !Number.isFinite(value))?.[0];
}

/** A collapse shows in this many epochs at least, and in this many steps. */
const COLLAPSE = { epochs: 2, steps: 200 } as const;

/** The cross-entropy of an epoch. A method whose loss has further terms, which may be below 0, reports it as `taskLoss`. */
function crossEntropyOf({ metrics, trainLoss }: Epoch): number {
  return metrics["taskLoss"] ?? trainLoss;
}

/** Guesses: accuracy up to 1.05 of chance, and cross-entropy at ln(classes) or above. */
function isAtChance(epoch: Epoch, classes: number): boolean {
  return isGuess(epoch.trainTop1Percent, classes) && crossEntropyOf(epoch) >= 0.995 * Math.log(classes);
}

function isGuess(top1Percent: number, classes: number): boolean {
  return top1Percent <= 105 / classes;
}

/**
 * The end of a run that lost what it knew; null: it continues.
 *
 * Its last epochs are at chance, all after the warm-up, and an epoch before them, or its teacher, was better. A run that
 * has not learned yet is no collapse: some need tens of epochs.
 */
export function collapse(setup: Setup, position: Position): TrainOutcome | null {
  const { dataset: { classes }, spec, stepsPerEpoch, request } = setup, { curve } = position;
  const count = Math.max(COLLAPSE.epochs, Math.ceil(COLLAPSE.steps / stepsPerEpoch)), from = curve.length - count;
  if (from < spec.recipe.warmupEpochs || !curve.slice(from).every((epoch) => isAtChance(epoch, classes))) return null;
  const ofTeacher = request.teacherRecord?.metrics?.["top1Percent"];
  const knew = curve.slice(0, from).some((epoch) => !isAtChance(epoch, classes)) ||
    (ofTeacher !== undefined && !isGuess(ofTeacher, classes));
  if (!knew) return null;
  const last = curve.at(-1)!;
  return outcomeOf(setup, position, {
    status: "diverged",
    reason: `training collapsed to chance: loss ${crossEntropyOf(last).toFixed(4)}, accuracy ` +
      `${last.trainTop1Percent.toFixed(2)} % in epoch ${curve.length}`,
  });
}

/** The outcome of a run that ended here; a finished one gets its digests from the caller. */
export function outcomeOf(
  setup: Setup,
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
    imagesPerSecond: imagesPerSecond(setup, position),
    ...(position.spent ? { spentBefore: position.spent } : {}),
    ...(position.environments ? { environmentsBefore: position.environments } : {}),
    networkSha256: null,
    teacherSha256: null,
  };
}
