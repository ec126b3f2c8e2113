/** A page of made-up runs, one of which fails with a hostile log. */
import type { PoolEvent } from "../../src/pool/pool.ts";
import type { PlannedRun, RunSpec } from "../../src/record/spec.ts";
import { runId } from "../../src/record/spec.ts";
import { openWatch, type Watch, type WatchOptions } from "../../src/watch/server.ts";
import { doneRecord, fakeEpoch } from "../support/fakes/fake_trainer.ts";
import { fpSpec, studentSpec } from "../support/fakes/specs.ts";

/** Text that would run a script if it were not escaped. */
export const HOSTILE = `<img src=x onerror="document.title='owned'"> & more`;

const TEACHER = fpSpec({ recipe: { ...fpSpec().recipe, epochs: 3 } });

function planned(spec: RunSpec): PlannedRun {
  return { id: runId(spec), spec };
}

export const FP = planned(TEACHER), LSQ = planned(studentSpec("lsq", TEACHER));
export const OTHER = planned(studentSpec("other", TEACHER)), RUNS = [FP, LSQ, OTHER];

/** Progress of a run: a step of 100 in its epoch 2 of 3. */
export function progressOf(run: PlannedRun, step: number): PoolEvent {
  const message = { type: "progress", epoch: 2, epochs: 3, step, steps: 100, loss: 1.25, imagesPerSecond: 64 } as const;
  return { type: "message", run, message };
}

export function epochOf(run: PlannedRun, epoch: number, top1Percent: number): PoolEvent {
  return { type: "message", run, message: { type: "epoch", epoch: fakeEpoch(epoch, { top1Percent }) } };
}

export function endOf(run: PlannedRun): PoolEvent {
  return { type: "ended", run, record: doneRecord(run.spec) };
}

export function failureOf(run: PlannedRun): PoolEvent {
  const changes = { status: "failed", reason: `it broke ${HOSTILE}`, log: ["step 7", HOSTILE], metrics: null } as const;
  return { type: "ended", run, record: doneRecord(run.spec, { ...changes, log: [...changes.log], curve: [] }) };
}

/** Serves a page at a free port of this machine while `body` runs. */
export async function withWatch(
  options: Partial<WatchOptions> & Pick<WatchOptions, "out">,
  body: (watch: Watch) => Promise<void>,
): Promise<void> {
  const watch = openWatch({ hostname: "127.0.0.1", port: 0 }, {
    title: `Demo ${HOSTILE}`,
    runs: RUNS,
    finished: new Map(),
    ...options,
  });
  try {
    await body(watch);
  } finally {
    await watch.close();
  }
}
