import { InputError } from "../errors.ts";
import { isFinal, type RunRecord } from "../record/record.ts";
import { describeRun, type PlannedRun, runId, type RunSpec } from "../record/spec.ts";
import { readRecord } from "../store/store.ts";

/** A plan, teachers first: its finished runs and those that are left. */
export interface PlanState {
  readonly runs: readonly PlannedRun[];
  /** Records of the runs that are over for good. */
  readonly finished: ReadonlyMap<string, RunRecord>;
  readonly todo: readonly PlannedRun[];
}

/**
 * Puts teachers before their students, keeps the order otherwise, and drops repeated specs.
 * @throws {InputError} If a teacher is not among the specs.
 */
export function orderRuns(specs: readonly RunSpec[]): PlannedRun[] {
  const byId = new Map<string, RunSpec>();
  for (const spec of specs) byId.set(runId(spec), spec);
  const ordered = new Map<string, PlannedRun>();
  function place(id: string, spec: RunSpec): void {
    if (ordered.has(id)) return;
    if (spec.teacher !== null) {
      const teacher = byId.get(spec.teacher);
      if (teacher === undefined) {
        throw new InputError(
          `Cannot plan run ${id} (${describeRun(spec)}) as its teacher is not in the plan: current value is ` +
            `${spec.teacher}`,
        );
      }
      // A spec holds the hash of its teacher's spec, so a circle cannot be written down.
      place(spec.teacher, teacher);
    }
    ordered.set(id, { id, spec });
  }
  for (const [id, spec] of byId) if (spec.teacher === null) place(id, spec);
  for (const [id, spec] of byId) place(id, spec);
  return [...ordered.values()];
}

/**
 * Compares the plan with the records below `out`.
 * @param elsewhere Records by id of runs that are done in another folder; those of `out` come first.
 * @throws {InputError} If a record cannot be read.
 */
export function statePlan(
  specs: readonly RunSpec[],
  out: string,
  elsewhere: ReadonlyMap<string, RunRecord> = new Map(),
): PlanState {
  const runs = orderRuns(specs);
  const finished = new Map<string, RunRecord>();
  for (const { id } of runs) {
    const record = [readRecord(out, id), elsewhere.get(id)].find((item) => item && isFinal(item));
    if (record) finished.set(id, record);
  }
  return { runs, finished, todo: runs.filter(({ id }) => !finished.has(id)) };
}
