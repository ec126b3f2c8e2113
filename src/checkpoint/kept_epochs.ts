import { join } from "node:path";
import { writeCheckpoint } from "./checkpoint.ts";
import type { Position } from "../train/position.ts";
import type { TrainingTensors } from "../train/step.ts";
import { trainingData } from "../train/tensors.ts";

/**
 * Keeps the checkpoint at the end of an epoch as `<folder>/checkpoints/epoch-<n>.safetensors`.
 *
 * One that is there is replaced: a run that goes on comes to the same bytes again, and one that was begun anew must not
 * leave the network of a training that was deleted.
 * @throws {InputError} If the system refuses.
 */
export async function keepEpoch(
  folder: string,
  { training, position }: { training: TrainingTensors; position: Position },
): Promise<void> {
  const kept = join(folder, "checkpoints"), path = join(kept, `epoch-${position.curve.length}.safetensors`);
  await Deno.mkdir(kept, { recursive: true });
  await writeCheckpoint(path, { tensors: trainingData(training), position }, { keepPrevious: false });
}
