import type { Dataset } from "../data/types.ts";
import type { Engine } from "../engine/types.ts";
import type { Epoch, RunRecord } from "./record.ts";
import type { RunSpec } from "./spec.ts";

/** Where a run is, for people. */
export interface TrainProgress {
  /** The one that runs, from 1. */
  readonly epoch: number;
  readonly epochs: number;
  /** Steps that are done, of `steps` of the whole run. */
  readonly step: number;
  readonly steps: number;
  /** Training loss of the last step. */
  readonly loss: number;
  readonly imagesPerSecond: number;
}

/** What a run has taken of a machine. */
export interface Spent {
  readonly wallSeconds: number;
  readonly cpuSeconds: number;
}

/** @param before Undefined: nothing, or nothing that is known. */
export function together(before: Spent | undefined, since: Spent): Spent {
  return {
    wallSeconds: (before?.wallSeconds ?? 0) + since.wallSeconds,
    cpuSeconds: (before?.cpuSeconds ?? 0) + since.cpuSeconds,
  };
}

/** What a trainer is told. */
export interface TrainRequest {
  readonly spec: RunSpec;
  /** The whole data set: the trainer takes the examples that `spec.dataset` names. */
  readonly dataset: Dataset;
  readonly engine: Engine;
  /** `checkpoint.safetensors` of the teacher run. */
  readonly teacherCheckpoint: string | null;
  /** Of the teacher run, to check its checkpoint by; left out or null: it is not at hand. */
  readonly teacherRecord?: RunRecord | null;
  /** The run's folder: the trainer keeps its two newest checkpoints there and resumes from the newer whole one. */
  readonly folder: string;
  /** What this process has spent on the run so far: checkpoints carry it on. Left out: they do not. */
  readonly spent?: () => Spent;
  readonly onProgress?: (progress: TrainProgress) => void;
  readonly onEpoch?: (epoch: Epoch) => void;
  /** Told what people should know, such as a damaged checkpoint: a line each. */
  readonly onNote?: (line: string) => void;
  /** Asked after every step; true: write a checkpoint and stop. */
  readonly shouldStop?: () => boolean;
  /** @default 250 */
  readonly checkpointEverySteps?: number;
  /** Whether each epoch's checkpoint is kept too, as `checkpoints/epoch-<n>.safetensors` in the folder. @default false */
  readonly keepEpochs?: boolean;
}

/** How a training ended; `stopped`: as `shouldStop` asked, with a checkpoint to go on from. */
export interface TrainOutcome {
  readonly status: "done" | "diverged" | "stopped";
  readonly reason: string | null;
  /** Of the last epoch: `top1Percent` and `loss`, and the method's own; null unless done. */
  readonly metrics: Record<string, number> | null;
  /** Every epoch of the run, those before a resume included. */
  readonly curve: readonly Epoch[];
  /** Training images per second of training time. */
  readonly imagesPerSecond: number;
  /** By earlier processes, up to the checkpoint that this one went on from; left out: none, or it does not tell. */
  readonly spentBefore?: Spent;
  /** Of the network as it is now and of the teacher's, as in the record; null: not done, or no teacher. */
  readonly networkSha256: string | null;
  readonly teacherSha256: string | null;
}

/** Trains one run: `trainRun` of `src/train/run.ts`, or a stand-in of a test. */
export type Trainer = (request: TrainRequest) => Promise<TrainOutcome>;
