import type { Epoch } from "../runs/record.ts";

/** Where a run stands: what a checkpoint holds beside the tensors. */
export interface Position {
  readonly runId: string;
  /** Steps done. */
  readonly step: number;
  /** Sums over the steps of the current epoch, by metric. */
  readonly sums: Record<string, number>;
  readonly curve: readonly Epoch[];
  readonly trainSeconds: number;
}

/** The position one step further, with the step's metrics added. */
export function advanced(position: Position, metrics: Record<string, number>, seconds: number): Position {
  const sums = { ...position.sums };
  for (const [name, value] of Object.entries(metrics)) sums[name] = (sums[name] ?? 0) + value;
  return { ...position, step: position.step + 1, sums, trainSeconds: position.trainSeconds + seconds };
}

/** Whether two epochs running learned nothing: loss at ln(classes) or above, accuracy at chance. */
export function collapsed(curve: readonly Epoch[], classes: number): boolean {
  const last = curve.slice(-2);
  return last.length === 2 &&
    last.every((epoch) => epoch.trainLoss >= 0.995 * Math.log(classes) && epoch.trainTop1Percent <= 105 / classes);
}
