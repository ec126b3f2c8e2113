import { dirname } from "node:path";
import { InputError } from "../errors.ts";
import { readNewestCheckpoint } from "../checkpoint/checkpoint.ts";
import type { Origin, Position } from "./position.ts";
import type { TrainingTensors } from "./step.ts";
import { trainingTensors } from "./tensors.ts";

/** What a run goes on from. */
export interface Resumed {
  readonly training: TrainingTensors;
  readonly position: Position;
}

/**
 * Reads where a run stood.
 * @param origin What the run comes from now; what a checkpoint of older code does not tell is not compared.
 * @param log Told when the newest checkpoint cannot be used.
 * @returns Null: it has not begun.
 * @throws {InputError} If its checkpoint is damaged, or of another run, other data or another teacher network.
 */
export async function resume(path: string, origin: Origin, log?: (line: string) => void): Promise<Resumed | null> {
  const checkpoint = await readNewestCheckpoint<Position>(path, log);
  if (!checkpoint) return null;
  const { position } = checkpoint, anew = `delete the folder ${dirname(path)} to start the run from its beginning`;
  const refuse = (why: string, remedy: string): never => {
    throw new InputError(`Cannot resume from the checkpoint "${path}" as ${why}: ${remedy}`);
  };
  if (position.runId !== origin.runId) refuse(`it is of run ${position.runId}, not of ${origin.runId}`, anew);
  if (position.dataSha256 !== undefined && position.dataSha256 !== origin.dataSha256) {
    refuse(
      `it was trained on data of SHA-256 ${position.dataSha256} and the data set is now ${origin.dataSha256}`,
      `restore the data set, or ${anew}`,
    );
  }
  if (position.teacherSha256 !== undefined && position.teacherSha256 !== origin.teacherSha256) {
    refuse(
      `it began from a teacher network of SHA-256 ${position.teacherSha256} and the teacher's is now ` +
        `${origin.teacherSha256 ?? "not given"}`,
      `restore the teacher's folder, or ${anew}`,
    );
  }
  return { training: trainingTensors(checkpoint.tensors), position };
}
