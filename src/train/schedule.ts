/** A learning rate over a run. */
export interface ScheduleOptions {
  /** Peak. */
  readonly learningRate: number;
  readonly warmupSteps: number;
  readonly totalSteps: number;
}

/**
 * Linear from rate / warmupSteps to the peak over the warm-up, then peak (1 + cos(pi x)) / 2 to 0, x from 0 to 1 over the
 * rest (Loshchilov and Hutter, ICLR 2017, without restarts).
 *
 * @param step From 0.
 */
export function learningRateAt(step: number, { learningRate, warmupSteps, totalSteps }: ScheduleOptions): number {
  if (step < warmupSteps) return learningRate * (step + 1) / warmupSteps;
  const progress = (step - warmupSteps) / Math.max(1, totalSteps - warmupSteps);
  return learningRate * 0.5 * (1 + Math.cos(Math.PI * progress));
}
