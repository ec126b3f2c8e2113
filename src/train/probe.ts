/** Times a few steps of a run, with the inputs, the start and the program of the real one. */
import { join } from "node:path";
import { writeCheckpoint } from "../checkpoint/checkpoint.ts";
import { initialise } from "../nn/initialise.ts";
import type { Probe } from "../record/rate.ts";
import type { Spent, TrainOutcome, TrainRequest } from "../record/trainer.ts";
import { joinLeaves } from "../tree.ts";
import { networkOf } from "./quantization.ts";
import { trainRun } from "./run.ts";

/** Steps that compile the program and fill caches: they count for the start. */
const WARM_UP = 3;

/**
 * Runs `steps` steps of a run after those that warm up, and reports their mean time.
 *
 * The run has no teacher in its spec: a network of initial values takes the place, as a step takes the same time.
 *
 * @param onProbe Called once, when the steps are done.
 * @returns The outcome `stopped`.
 */
export async function probeRun(
  request: TrainRequest & Required<Pick<TrainRequest, "spent">>,
  { steps, onProbe }: {
    readonly steps: number;
    readonly onProbe: (probe: Pick<Probe, "steps" | "step" | "start">) => void;
  },
): Promise<TrainOutcome> {
  const { spec, dataset, folder, spent } = request, { model } = networkOf(spec, dataset);
  const { params, state } = initialise(model, spec.seed), teacherCheckpoint = join(folder, "teacher.safetensors");
  await writeCheckpoint(teacherCheckpoint, {
    tensors: joinLeaves({ params, state }),
    position: { runId: "none", step: 0, sums: {}, curve: [], trainSeconds: 0 },
  });
  const step = { wallSeconds: 0, cpuSeconds: 0 }, names = ["wallSeconds", "cpuSeconds"] as const;
  /** Steps until the first that is timed, those that are timed, and all that are done. */
  let warm = 0, timed = 0, done = 0;
  let before = spent(), start: Spent = before;
  const outcome = await trainRun({
    ...request,
    teacherCheckpoint,
    // a call may make several steps
    onProgress(progress) {
      const now = spent(), count = progress.step - done;
      if (done < WARM_UP) [start, warm] = [now, progress.step];
      else {
        for (const name of names) step[name] += now[name] - before[name];
        timed += count;
      }
      [before, done] = [now, progress.step];
    },
    onEpoch: () => void (before = spent()), // the time of the evaluation is no step's
    shouldStop: () => timed >= steps,
  });
  if (timed === 0) return outcome;
  for (const name of names) step[name] /= timed;
  const first = (name: keyof Spent) => Math.max(0, start[name] - warm * step[name]);
  onProbe({ steps: timed, step, start: { wallSeconds: first("wallSeconds"), cpuSeconds: first("cpuSeconds") } });
  return outcome;
}
