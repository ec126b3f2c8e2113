/** Opens the network of a checkpoint, or refuses it: the only way to a network, for students, measurements and resumed runs. */
import { dirname } from "node:path";
import { InputError } from "../errors.ts";
import type { RunRecord } from "../record/record.ts";
import { canonicalJson } from "../record/spec.ts";
import {
  type Checkpoint,
  networkSha256,
  oddTensorOf,
  type Origin,
  previousCheckpoint,
  readCheckpoint,
  readNewestCheckpoint,
} from "./checkpoint.ts";

/** The network that a checkpoint must hold. */
export interface WantedNetwork {
  /** Id of its run. */
  readonly id: string;
  /** Record of that run; null: not at hand, so the checkpoint alone is checked. */
  readonly record: RunRecord | null;
  /** @default the last one */
  readonly epoch?: number;
  /** Digest of the data set that the network is used with; left out: not compared. */
  readonly dataSha256?: string;
  /** Start of an error: `Cannot measure run 0123`. */
  readonly purpose: string;
  /** End of an error, where nothing can be restored: `train that run again`. */
  readonly instead: string;
}

/**
 * The checkpoint of a finished run: the newest, or else the one before it if that has the network of the run's record. A
 * process that did not know it had lost the run may have written the newest.
 * @throws {InputError} If the file is missing or damaged, or the network is of another run, training or data set, or is not
 * finished.
 */
export async function openNetwork(path: string, wanted: WantedNetwork): Promise<Checkpoint> {
  const { purpose, instead } = wanted, remedy = `restore that file, or ${instead}`;
  const checkpoint = await openNewest(path, wanted, remedy).catch(async (error) => {
    const older = await fittingOf(previousCheckpoint(path), wanted);
    if (older === null) throw error;
    return older;
  });
  const trainedOn = checkpoint.position.dataSha256 ?? wanted.record?.dataSha256 ?? wanted.dataSha256;
  if (wanted.dataSha256 !== undefined && trainedOn !== wanted.dataSha256) {
    throw new InputError(
      `${purpose} as it was trained on data of SHA-256 ${trainedOn} and the data set is now ${wanted.dataSha256}: ` +
        `restore the data set, or ${instead}`,
    );
  }
  return checkpoint;
}

async function openNewest(path: string, wanted: WantedNetwork, remedy: string): Promise<Checkpoint> {
  const checkpoint = await readCheckpoint(path, remedy);
  if (checkpoint === null) throw new InputError(`${wanted.purpose} as its checkpoint "${path}" is missing: ${remedy}`);
  const why = mismatchOf(checkpoint, wanted);
  if (why === null) return checkpoint;
  throw new InputError(`${wanted.purpose} as the checkpoint "${path}" is ${why}: ${remedy}`);
}

/** A checkpoint that is certainly the network of the wanted record; null: it is not, or there is no such record. */
async function fittingOf(path: string, wanted: WantedNetwork): Promise<Checkpoint | null> {
  if (wanted.record === null) return null;
  const checkpoint = await readCheckpoint(path).catch(() => null);
  return checkpoint !== null && mismatchOf(checkpoint, wanted) === null ? checkpoint : null;
}

/**
 * Why a checkpoint is not the wanted network, in words that follow "it is"; null: it is.
 *
 * Checkpoints of older code lack their number of steps: of those without a record only the run is checked.
 */
function mismatchOf({ tensors, position }: Checkpoint, wanted: WantedNetwork): string | null {
  const { id, record } = wanted, { runId, step, steps, curve } = position;
  if (runId !== id) return `of run ${runId}`;
  if (wanted.epoch === undefined && steps !== undefined && step < steps) return `of step ${step} of ${steps}`;
  const odd = oddTensorOf(tensors);
  if (odd !== null) return `no finite network: ${odd}`;
  if (record === null) return null;
  if (record.status !== "done") return `of a run that ended as ${record.status}`;
  const epochs = record.curve.length, epoch = wanted.epoch ?? epochs;
  if (curve.length < epoch) return `of epoch ${curve.length} of ${epochs}`;
  const sameCurve = canonicalJson(curve) === canonicalJson(record.curve.slice(0, epoch));
  const network = epoch === epochs && record.networkSha256 ? networkSha256(tensors) : undefined;
  const same = sameCurve && agree(record.networkSha256, network) &&
    agree(record.dataSha256, position.dataSha256) && agree(record.teacherSha256, position.teacherSha256);
  return same ? null : "of another training of that run";
}

/** Tells if two digests agree, as far as both are there: older code wrote none. */
function agree(digest: string | null | undefined, other: string | undefined): boolean {
  return !digest || !other || digest === other;
}

/**
 * The checkpoint that a run resumes from: its newest that can be read.
 * @param origin Data and teacher of the run now; what a checkpoint of older code lacks is not compared.
 * @param log Gets a line when the newest checkpoint cannot be used.
 * @returns Null: the run has not begun.
 * @throws {InputError} If its checkpoint is damaged, or of another run, other data or another teacher network.
 */
export async function openOwnCheckpoint(
  path: string,
  origin: Origin,
  log?: (line: string) => void,
): Promise<Checkpoint | null> {
  const checkpoint = await readNewestCheckpoint(path, log);
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
  return checkpoint;
}
