/** Times of a queue, in milliseconds. */
export interface QueueTimes {
  /** Silence of a worker after which it has lost its runs; they are taken over within twice that. */
  readonly lockMs: number;
  /** Wait between a failed attempt and the next one. */
  readonly retryDelayMs: number;
  /** Wait before a release looks for its teacher's record again, and before a run left to others is tried again. */
  readonly releaseDelayMs: number;
  /** Wait between two messages of a run. */
  readonly progressMs: number;
  /** Wait between two times that a run's checkpoint is stored in a bucket. */
  readonly pushMs: number;
  /** Wait between two looks for the record of a run that has ended. */
  readonly lookMs: number;
  /** Wait between two looks at the whole plan. */
  readonly resubmitMs: number;
  /** Longest wait at the end for a server that does not answer. */
  readonly closeMs: number;
}

/** For runs of minutes to days. */
export const DEFAULT_TIMES: QueueTimes = {
  lockMs: 60_000,
  retryDelayMs: 5000,
  releaseDelayMs: 15_000,
  progressMs: 2000,
  pushMs: 60_000,
  lookMs: 1000,
  resubmitMs: 30_000,
  closeMs: 5000,
};
