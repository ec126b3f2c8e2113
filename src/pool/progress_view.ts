import { formatSeconds } from "../plan/estimate.ts";

/** A running run as people see it. */
export interface RunView {
  readonly name: string;
  /** From 1; 0: not begun. */
  readonly epoch: number;
  readonly epochs: number;
  /** 0 to 1. */
  readonly fraction: number;
  readonly loss: number | null;
  readonly imagesPerSecond: number;
  readonly top1Percent: number | null;
  /** When its process began, on the clock of the progress. */
  readonly startedMs: number;
  /** Where it began, as a resumed run begins after others' work; null: not begun. */
  readonly startFraction: number | null;
}

/** The whole grid as people see it. */
export interface TotalView {
  readonly ended: number;
  readonly runs: number;
  readonly fraction: number;
  /** Null: too early to say. */
  readonly etaSeconds: number | null;
}

/** Draws views: bars on a terminal, lines elsewhere. */
export interface Display {
  update(running: ReadonlyMap<string, RunView>, total: TotalView): void;
  say(line: string): void;
  close(): void;
}

/** A running run in one line. */
export function describeView(view: RunView): string {
  if (view.epoch === 0) return `${view.name} starting`;
  const top1 = view.top1Percent === null ? "" : `, top-1 ${view.top1Percent.toFixed(2)} %`;
  return `${view.name} epoch ${view.epoch}/${view.epochs}, loss ${view.loss?.toFixed(3) ?? "NaN"}${top1}, ` +
    `${Math.round(view.imagesPerSecond)} images/s`;
}

/** All runs in one line. */
export function describeTotal(total: TotalView): string {
  const left = total.etaSeconds === null ? "no estimate yet" : `about ${formatSeconds(total.etaSeconds)} left`;
  return `${total.ended} of ${total.runs} runs ended, ${left}`;
}
