/** Contents of a checkpoint, and its files. */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { InputError, isDiskFull, messageOf } from "../errors.ts";
import type { Environment } from "../record/environment.ts";
import type { Epoch } from "../record/record.ts";
import { LostRunError, type Spent } from "../record/trainer.ts";
import { writeFileAtomic } from "../store/files.ts";
import { decode, encode, metadataAt, type NamedTensors } from "./safetensors.ts";

const SCHEMA = "requant-checkpoint-1";

/** Data and teacher of a run's numbers. Checkpoints of older code name the run alone. */
export interface Origin {
  readonly runId: string;
  /** SHA-256 of the decoded bytes of the data set. */
  readonly dataSha256?: string;
  /** SHA-256 of the network that the run started from; absent too where it has no teacher. */
  readonly teacherSha256?: string;
}

/** Progress of a run: all that a checkpoint holds beside the tensors. */
export interface Position extends Origin {
  /** Steps done. */
  readonly step: number;
  /** Steps of the whole run; absent in checkpoints of older code. */
  readonly steps?: number;
  /** Sums over the steps of the current epoch, by metric. */
  readonly sums: Record<string, number>;
  readonly curve: readonly Epoch[];
  readonly trainSeconds: number;
  /** By the processes of the run up to this checkpoint, evaluation and saving included; absent likewise. */
  readonly spent?: Spent;
  /** Environments of these processes, each once; absent likewise. */
  readonly environments?: readonly Environment[];
}

/** Tensors under `params/`, `velocity/`, `state/` and `memory/`, and the progress of their run. */
export interface Checkpoint<At = Position> {
  readonly tensors: NamedTensors;
  readonly position: At;
}

/** The tensors of a checkpoint that are its network: parameters and running statistics, not the optimizer's memory. */
function networkOf(tensors: NamedTensors): NamedTensors {
  return Object.fromEntries(Object.entries(tensors).filter(([name]) => /^(params|state)\//.test(name)));
}

/** The tensors of a finished checkpoint that its evaluation may need: all but momentum, as a method may evaluate an average. */
export function evaluationTensors(tensors: NamedTensors): NamedTensors {
  return Object.fromEntries(Object.entries(tensors).filter(([name]) => !name.startsWith("velocity/")));
}

/** SHA-256 of a checkpoint's network: of name, shape and float32 bytes of each of its tensors, by name. */
export function networkSha256(tensors: NamedTensors): string {
  const hash = createHash("sha256"), network = networkOf(tensors);
  for (const name of Object.keys(network).sort()) {
    const { shape, values } = network[name]!;
    hash.update(`${name} ${shape.join(" ")}\n`);
    hash.update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  }
  return hash.digest("hex");
}

/** A tensor that holds a NaN or an infinity, in words; null: none does. */
export function oddTensorOf(tensors: NamedTensors): string | null {
  for (const [path, { values }] of Object.entries(tensors)) {
    const odd = values.findIndex((value) => !Number.isFinite(value));
    if (odd >= 0) return `"${path}" holds ${values[odd]} in place ${odd} of ${values.length}`;
  }
  return null;
}

/** The file before the one at `path`: a run keeps two, as the newest may turn out to be damaged. */
export function previousCheckpoint(path: string): string {
  return besideCheckpoint(path, "previous");
}

function besideCheckpoint(path: string, kind: "previous" | "damaged"): string {
  return path.replace(/(\.safetensors)?$/, `.${kind}$1`);
}

/** Options of writing a checkpoint. */
export interface WriteOptions {
  readonly keepPrevious?: boolean;
  /** Called just before the file is replaced. @throws {LostRunError} If this process has lost the run. */
  readonly beforeWrite?: (() => void) | undefined;
}

/**
 * Writes a checkpoint as a whole. The one that was there becomes the previous one, or is replaced.
 *
 * A kill at any moment leaves the newest, or the previous one alone; both are whole.
 * @throws {InputError} If the system refuses; the checkpoints that were there are then intact.
 * @throws {LostRunError} If the one there is of the same run and has more steps: another process is further.
 */
// deno-lint-ignore require-await
export async function writeCheckpoint<At = Position>(
  path: string,
  { tensors, position }: Checkpoint<At>,
  { keepPrevious = true, beforeWrite }: WriteOptions = {},
): Promise<void> {
  const previous = previousCheckpoint(path);
  writeFileAtomic(path, encode(tensors, { schema: SCHEMA, position: JSON.stringify(position) }), {
    beforeRename() {
      beforeWrite?.();
      requireNotFurther(path, position as Partial<Position>);
      if (keepPrevious) renameIfThere(path, previous);
    },
    refusal(error) {
      const why = isDiskFull(error) ? "the disk is full" : messageOf(error);
      return new InputError(
        `Cannot write the checkpoint "${path}" as ${why}: make the folder writable, with space for two checkpoints, and ` +
          "run the same command again",
        { cause: error },
      );
    },
  });
}

/** @throws {LostRunError} If the checkpoint at `path` is of the same run and has more steps. */
function requireNotFurther(path: string, { runId, step = 0 }: Partial<Position>): void {
  const there = positionAt(path);
  if (runId === undefined || there?.runId !== runId || there.step === undefined || there.step <= step) return;
  throw new LostRunError(runId, `its checkpoint is of step ${there.step}, and step ${step} would replace it`);
}

/** Reads the progress of a checkpoint without its tensors and checksum; null: there is none that can be read. */
function positionAt(path: string): Partial<Position> | null {
  try {
    return JSON.parse(metadataAt(path)["position"]!);
  } catch {
    return null;
  }
}

/**
 * Keeps the checkpoint at the end of an epoch as `<folder>/checkpoints/epoch-<n>.safetensors`, in place of an older one: a
 * resumed run comes to the same bytes, and a deleted training must leave nothing.
 * @throws {InputError} If the system refuses.
 */
export async function keepEpoch(
  folder: string,
  checkpoint: Checkpoint,
  { beforeWrite }: Pick<WriteOptions, "beforeWrite"> = {},
): Promise<void> {
  const path = join(folder, "checkpoints", `epoch-${checkpoint.position.curve.length}.safetensors`);
  await writeCheckpoint(path, checkpoint, { keepPrevious: false, beforeWrite });
}

function renameIfThere(from: string, to: string): void {
  try {
    Deno.renameSync(from, to);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/**
 * Reads a checkpoint.
 * @param remedy Only a run that resumes from its own checkpoint may be told to delete it: any other may be the only copy of
 * a network.
 * @returns Null if there is none.
 * @throws {InputError} If the file cannot be read, or is cut, damaged or of another schema.
 */
export async function readCheckpoint<At = Position>(
  path: string,
  remedy = "restore that file, or make it again",
): Promise<Checkpoint<At> | null> {
  const read = await load<At>(path);
  if (read instanceof InputError) throw new InputError(`${read.message}: ${remedy}`);
  return read;
}

/** A checkpoint; null: there is none; an error without a remedy: it cannot be read. */
async function load<At>(path: string): Promise<Checkpoint<At> | InputError | null> {
  try {
    const { isFile, isDirectory, isSymlink } = await Deno.lstat(path);
    // to read a pipe would wait for its writer for ever, and a link may lead anywhere
    if (!isFile) {
      throw new Error(isDirectory ? "it is a folder" : isSymlink ? "it is a link" : "it is a pipe or a device");
    }
    const { tensors, metadata } = decode(await Deno.readFile(path), SCHEMA);
    return { tensors, position: JSON.parse(metadata["position"]!) };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    return new InputError(`Cannot read the checkpoint "${path}" as ${messageOf(error)}`);
  }
}

/**
 * Reads the newest checkpoint of a run that can be read, to resume from it: the one at `path`, else the previous one.
 *
 * A damaged one is set aside under the name `checkpoint.damaged.safetensors`, so that it never takes the place of the
 * previous one.
 *
 * @param log Gets a line when the newest cannot be used.
 * @returns Null if there is none.
 * @throws {InputError} If there are some and none can be read.
 */
export async function readNewestCheckpoint<At = Position>(
  path: string,
  log: (line: string) => void = () => {},
): Promise<Checkpoint<At> | null> {
  const previous = previousCheckpoint(path), remedy = "delete it to start that run from its beginning";
  const newest = await load<At>(path);
  if (newest === null) return await readCheckpoint<At>(previous, remedy);
  if (!(newest instanceof InputError)) return newest;
  const older = await load<At>(previous);
  if (older === null) throw new InputError(`${newest.message}: ${remedy}`);
  if (older instanceof InputError) {
    throw new InputError(
      `Cannot resume from "${path}" or from "${previous}" as both are damaged: delete both to start that run from its ` +
        "beginning",
      { cause: older },
    );
  }
  renameIfThere(path, besideCheckpoint(path, "damaged"));
  log(`${newest.message}: resuming from the one before it`);
  return older;
}
