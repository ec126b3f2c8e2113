/** Types of a peer measurement, as plain data. */
import type { Arm, Rule } from "./steps.ts";

/** The sides in the order in which a round runs them; the first is compared with the others. */
export const SIDES = ["requant", "onednn", "bf16", "eager", "compile", "autocast", "brevitas"] as const;
export type SideName = typeof SIDES[number];

/** Processor time (on a GPU: time by the clock), medians of steps that took turns in one process of ours. */
export interface Parts {
  /** The method's step. */
  readonly step: number;
  /** The LSQ step on the same batch. */
  readonly lsq: number;
  /** The method's extra forward passes alone; 0: it has none. */
  readonly passes: number;
}

/** Measurement by one process of a side. On a GPU all times are by the clock. */
export interface Sample {
  /** Median over the steps: by the clock, and of processor time. */
  readonly seconds: number;
  readonly cpuSeconds: number;
  /** Number of steps that the medians are taken over. */
  readonly steps: number;
  /** Losses of the first three steps. */
  readonly losses: readonly number[];
  /** Largest resident memory of the process in its life, on a GPU what it took of the GPU's; null: not known. */
  readonly peakBytes: number | null;
  readonly versions: Readonly<Record<string, string>>;
  /** Times of a step's parts: only on Requant's side, for steps that are an LSQ step with more in it. */
  readonly parts?: Parts;
}

/** A side of a case: by round, one sample a core. */
export interface Side {
  readonly name: SideName;
  readonly rounds: readonly (readonly Sample[])[];
  /** Why there are no rounds; null: there are. */
  readonly notRun: string | null;
}

/** One model in one arm. */
export interface PeerCase {
  readonly model: string;
  readonly arm: Arm;
  readonly batch: number;
  readonly learningRate: number;
  readonly sides: readonly Side[];
}

/** Where and how it was measured. */
export interface PeerEnvironment {
  readonly date: string;
  readonly os: string;
  readonly cpu: string;
  /** The GPU that all sides ran on; absent: they ran on the CPU. */
  readonly gpu?: string;
  readonly commit: string | null;
  readonly dirty: boolean | null;
  readonly versions: Readonly<Record<string, string>>;
  /** Processors that were measured on; null: processes could not be pinned. */
  readonly pinned: readonly number[] | null;
  /** Processes of a side at once, one thread each. */
  readonly cores: number;
  /** Busy share in [0, 1] of the machine's other processors meanwhile; null: there are none, or it is not known. */
  readonly othersBusy: number | null;
  /** Environment variables that all sides ran with. */
  readonly variables: Readonly<Record<string, string>>;
}

/** All of a measurement: what peers.json holds beside its `summary`. */
export interface PeerMeasurement {
  readonly schema: 1;
  readonly environment: PeerEnvironment;
  readonly rounds: number;
  readonly rule: Rule;
  readonly recipe: Readonly<Record<string, number>>;
  readonly cases: readonly PeerCase[];
  /** Whole runs that `bench` made; absent: none were given. */
  readonly runs?: readonly WholeRun[];
}

/** Whole run of `bench`, from its record. */
export interface WholeRun {
  readonly id: string;
  /** Model, arm and bits, for people. */
  readonly title: string;
  readonly batch: number;
  /** Training images of all epochs. */
  readonly images: number;
  /** Training alone, and with start and evaluation. */
  readonly imagesPerSecond: number;
  readonly wallSeconds: number;
  /** When it began, ISO 8601. */
  readonly startedAt: string;
  readonly top1Percent: number;
}
