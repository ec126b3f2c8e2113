/** State of a grid while it runs, gathered from the events of its pool or queue. */
import type { PoolEvent } from "../pool/pool.ts";
import { describeHolder } from "../pool/progress.ts";
import type { ChildMessage } from "../pool/process.ts";
import type { Epoch, RunRecord, RunStatus } from "../record/record.ts";
import type { PlannedRun } from "../record/spec.ts";
import { readEvents } from "../store/store.ts";

/** State of a run: its record's status, or what it does without one. */
export type WatchedState = "running" | "elsewhere" | "waiting" | "stopped" | RunStatus;

/** A run, as far as it has come. */
export interface WatchedRun {
  readonly run: PlannedRun;
  readonly state: WatchedState;
  /** Null: it has not reported a step. */
  readonly progress: Extract<ChildMessage, { type: "progress" }> | null;
  readonly curve: readonly Epoch[];
  /** Reason of its state; null: none is known. */
  readonly note: string | null;
  /** Last lines of the log of a run that failed. */
  readonly log: readonly string[];
}

/** Parts of the page that an event changes. */
export type Part = "progress" | "failures" | "runs" | "curves";

/** A grid that is watched. */
export interface WatchedGrid {
  readonly runs: ReadonlyMap<string, WatchedRun>;
  /** Takes an event. @returns The parts that it changed. */
  onEvent(event: PoolEvent): readonly Part[];
}

/**
 * Gathers the state of a grid.
 * @param runs Its runs; those of a queue's worker come with their events.
 */
export function watchedGrid(
  runs: readonly PlannedRun[],
  { out, finished }: { readonly out: string; readonly finished: ReadonlyMap<string, RunRecord> },
): WatchedGrid {
  const found = new Map<string, WatchedRun>(runs.map((run) => {
    const record = finished.get(run.id);
    return [run.id, record === undefined ? begun(run, "waiting") : ended(run, record)];
  }));

  /** A run that has no record: it may have come some way before. */
  function begun(run: PlannedRun, state: WatchedState): WatchedRun {
    return { run, state, progress: null, curve: readEvents(out, run.id), note: null, log: [] };
  }

  function next(event: PoolEvent): { run: WatchedRun; parts: readonly Part[] } {
    const before = found.get(event.run.id) ?? begun(event.run, "waiting");
    switch (event.type) {
      case "started":
        return { run: begun(event.run, "running"), parts: ["progress", "runs", "failures"] };
      case "message":
        if (event.message.type === "progress") {
          return { run: { ...before, state: "running", progress: event.message }, parts: ["progress", "runs"] };
        }
        if (event.message.type !== "epoch") return { run: before, parts: [] };
        return { run: { ...before, curve: extended(before.curve, event.message.epoch) }, parts: ["runs", "curves"] };
      case "retried":
        return { run: { ...before, note: `tried again: ${event.reason}` }, parts: ["runs"] };
      case "elsewhere":
        return { run: { ...before, state: "elsewhere", note: describeHolder(event.holder) }, parts: ["runs"] };
      case "ended": {
        const run = event.record === null
          ? { ...before, state: "stopped" as const, progress: null }
          : ended(event.run, event.record);
        return { run, parts: ["progress", "failures", "runs", "curves"] };
      }
    }
  }

  return {
    runs: found,
    onEvent(event) {
      const { run, parts } = next(event);
      found.set(event.run.id, run);
      return parts;
    },
  };
}

function ended(run: PlannedRun, { status, reason, log = [], curve }: RunRecord): WatchedRun {
  return { run, state: status, progress: null, curve, note: reason, log };
}

/** Adds an epoch; one that a resumed run repeats takes the place of the earlier. */
function extended(curve: readonly Epoch[], epoch: Epoch): Epoch[] {
  return [...curve.filter((other) => other.epoch < epoch.epoch), epoch];
}
