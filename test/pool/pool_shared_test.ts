import assert from "node:assert/strict";
import { openLocks } from "../../src/store/locks.ts";
import { statePlan } from "../../src/plan/plan.ts";
import { type PoolEvent, runPool } from "../../src/pool/pool.ts";
import { runId } from "../../src/record/spec.ts";
import { readRecord, writeRecord } from "../../src/store/store.ts";
import { fakeCommand, fpSpec, studentSpec, TEST_LOCK_TIMES, traceOf, withFolder } from "../support/fakes/specs.ts";

const TEACHER = fpSpec(), LSQ = studentSpec("lsq", TEACHER);

for (const end of ["done", "failed"] as const) {
  Deno.test(`runPool() goes on with the students of a teacher that another scheduler ended as ${end}`, () =>
    withFolder(async (out) => {
      const command = fakeCommand();
      await runPool(statePlan([TEACHER], out), { out, jobs: 1, command, lockTimes: TEST_LOCK_TIMES });
      const record = readRecord(out, runId(TEACHER))!;
      Deno.removeSync(`${out}/runs/${runId(TEACHER)}/record.json`);
      const other = openLocks(out, { times: TEST_LOCK_TIMES });
      assert.equal(other.take(runId(TEACHER)), "taken");
      const events: PoolEvent[] = [];
      const outcome = runPool(statePlan([TEACHER, LSQ], out), {
        out,
        jobs: 1,
        command,
        lockTimes: TEST_LOCK_TIMES,
        onEvent: (event) => void events.push(event),
      });
      while (!events.some(({ type }) => type === "elsewhere")) await new Promise((resolve) => setTimeout(resolve, 10));
      const { networkSha256: _, ...rest } = record;
      const failed = { ...rest, status: "failed", reason: "the other says so", metrics: null } as const;
      writeRecord(out, end === "done" ? record : failed);
      other.close();
      const { records, unfinished } = await outcome;
      assert.deepEqual([records.map(({ status }) => status), unfinished], [[end, end], []]);
      assert.equal(traceOf(out).filter((line) => line === "start fp").length, 1);
      assert.equal(traceOf(out).includes("start lsq"), end === "done");
    }));
}
