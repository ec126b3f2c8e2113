import type { Dataset } from "../data/types.ts";
import type { Engine } from "../engine/types.ts";
import type { Environment } from "./environment.ts";
import type { Epoch, RunRecord } from "./record.ts";
import type { RunSpec } from "./spec.ts";

/** Progress of a run, for people. */
export interface TrainProgress {
  /** Current epoch, from 1. */
  readonly epoch: number;
  readonly epochs: number;
  /** Steps done, of `steps` in the whole run. */
  readonly step: number;
  readonly steps: number;
  /** Training loss of the last step. */
  readonly loss: number;
  readonly imagesPerSecond: number;
}

/** Time that a run has taken of a machine. */
export interface Spent {
  readonly wallSeconds: number;
  readonly cpuSeconds: number;
}

/**
 * Adds up the time of earlier processes and of this one.
 * @param before Undefined: none, or unknown.
 */
export function together(before: Spent | undefined, since: Spent): Spent {
  return {
    wallSeconds: (before?.wallSeconds ?? 0) + since.wallSeconds,
    cpuSeconds: (before?.cpuSeconds ?? 0) + since.cpuSeconds,
  };
}

/** Refusal to write to a run that another process has by now, or is further with. */
export class LostRunError extends Error {
  override readonly name = "LostRunError";

  constructor(id: string, why = "another process has taken it over") {
    super(`Cannot write to run ${id} as ${why}: nothing was written`);
  }
}

/** Input of a trainer. */
export interface TrainRequest {
  readonly spec: RunSpec;
  /** Whole data set: the trainer takes the examples that `spec.dataset` names. */
  readonly dataset: Dataset;
  readonly engine: Engine;
  /** Path of the teacher run's `checkpoint.safetensors`. */
  readonly teacherCheckpoint: string | null;
  /** Record of the teacher run, to check its checkpoint by; left out or null: not at hand. */
  readonly teacherRecord?: RunRecord | null;
  /** Folder of the run: the trainer keeps its two newest checkpoints there and resumes from the newer whole one. */
  readonly folder: string;
  /** Returns the time this process has spent on the run so far, kept in checkpoints. */
  readonly spent?: () => Spent;
  /** Environment of this process, kept in checkpoints with those of earlier processes. */
  readonly environment?: Environment;
  /** Called before each write to the folder. @throws {LostRunError} If another scheduler has the run by now. */
  readonly beforeWrite?: () => void;
  /** Called after every call of the engine. */
  readonly onProgress?: (progress: TrainProgress) => void;
  readonly onEpoch?: (epoch: Epoch) => void;
  /** Receives notes for people, such as a damaged checkpoint: one line each. */
  readonly onNote?: (line: string) => void;
  /**
   * Steps that one call of the engine computes, where it can compute many; bytes do not depend on it.
   * @default on a GPU as many as take a quarter of a second, up to 50; else one
   */
  readonly stepsPerCall?: number;
  /** Called after every call of the engine; true: write a checkpoint and stop. */
  readonly shouldStop?: () => boolean;
  /** @default 250 */
  readonly checkpointEverySteps?: number;
  /** True: each epoch's checkpoint is kept too, as `checkpoints/epoch-<n>.safetensors` in the folder. @default false */
  readonly keepEpochs?: boolean;
}

/** End of a training; `stopped`: as `shouldStop` asked, with a checkpoint to resume from. */
export interface TrainOutcome {
  readonly status: "done" | "diverged" | "stopped";
  readonly reason: string | null;
  /** Results of the last epoch: `top1Percent`, `loss` and the method's own; null unless done. */
  readonly metrics: Record<string, number> | null;
  /** All epochs of the run, those before a resume included. */
  readonly curve: readonly Epoch[];
  /** Training images per second of training time. */
  readonly imagesPerSecond: number;
  /** Time spent by earlier processes, up to the checkpoint that this one resumed from; left out: none, or unknown. */
  readonly spentBefore?: Spent;
  /** Environments of the earlier processes; left out: none, or unknown. */
  readonly environmentsBefore?: readonly Environment[];
  /** Digests of the trained network and of its teacher's, as in the record; null: not done, or no teacher. */
  readonly networkSha256: string | null;
  readonly teacherSha256: string | null;
}

/** Trains one run: `trainRun` of `src/train/run.ts`, or a stand-in of a test. */
export type Trainer = (request: TrainRequest) => Promise<TrainOutcome>;
