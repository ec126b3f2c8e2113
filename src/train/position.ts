import type { Epoch } from "../record/record.ts";
import type { Spent } from "../record/trainer.ts";

/** What a run's numbers come from. Checkpoints of older code tell the run alone. */
export interface Origin {
  readonly runId: string;
  /** Of the decoded bytes of the data set. */
  readonly dataSha256?: string;
  /** Of the network that the run started from; absent too where it has no teacher. */
  readonly teacherSha256?: string;
}

/** Where a run stands: what a checkpoint holds beside the tensors. */
export interface Position extends Origin {
  /** Steps done. */
  readonly step: number;
  /** Of the whole run; absent in checkpoints of older code. */
  readonly steps?: number;
  /** Sums over the steps of the current epoch, by metric. */
  readonly sums: Record<string, number>;
  readonly curve: readonly Epoch[];
  readonly trainSeconds: number;
  /** By the processes of the run up to this checkpoint, evaluation and saving included; absent likewise. */
  readonly spent?: Spent;
}

/** The position one step further, with the step's metrics added. */
export function advanced(position: Position, metrics: Record<string, number>, seconds: number): Position {
  const sums = { ...position.sums };
  for (const [name, value] of Object.entries(metrics)) sums[name] = (sums[name] ?? 0) + value;
  return { ...position, step: position.step + 1, sums, trainSeconds: position.trainSeconds + seconds };
}

/** The cross-entropy of an epoch: a method whose loss has further terms, which may be below 0, tells it as `taskLoss`. */
export function crossEntropyOf({ metrics, trainLoss }: Epoch): number {
  return metrics["taskLoss"] ?? trainLoss;
}

/** Whether two epochs running learned nothing: cross-entropy at ln(classes) or above, accuracy at chance. */
export function collapsed(curve: readonly Epoch[], classes: number): boolean {
  const last = curve.slice(-2);
  return last.length === 2 &&
    last.every((epoch) =>
      crossEntropyOf(epoch) >= 0.995 * Math.log(classes) && epoch.trainTop1Percent <= 105 / classes
    );
}
