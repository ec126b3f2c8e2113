/** A process that is suspended loses its runs, and writes nothing over what others have made of them when it wakes. */
import assert from "node:assert/strict";
import { runId } from "../../src/record/spec.ts";
import { childrenOf, follow, redisTest, starts, startWorker, until, withWorkers } from "../support/fakes/queue.ts";
import { checkpointFile, readRecord } from "../../src/store/store.ts";
import { withFolder } from "../support/fakes/specs.ts";
import { GRID, recordsOf, startPool, undisturbed } from "./grid.ts";

const TEACHER = GRID[0]!, ID = runId(TEACHER);
const isLinux = Deno.build.os === "linux";

/** Stops processes in the middle of what they do; returns how to let them go on. */
function suspend(pids: readonly number[]): () => void {
  for (const pid of pids) Deno.kill(pid, "SIGSTOP");
  return () => pids.forEach((pid) => Deno.kill(pid, "SIGCONT"));
}

function stepsOf(out: string): number {
  try {
    return Number(Deno.readTextFileSync(checkpointFile(out, ID)));
  } catch {
    return 0;
  }
}

for (const who of ["the pool and its runs", "the pool alone"] as const) {
  Deno.test({
    name: `${who}, suspended until another pool has ended the grid, change nothing of it`,
    ignore: !isLinux,
    fn: () =>
      withFolder(async (out) => {
        const first = startPool(out);
        await until(() => stepsOf(out) > 3, "a checkpoint");
        const children = who === "the pool alone" ? [] : childrenOf(first.child.pid);
        const resume = suspend([...children, first.child.pid]);
        const second = await startPool(out, undefined, { writeSpecs: false }).ended();
        assert.equal(second.code, 0, second.stderr);
        const records = recordsOf(out), left = stepsOf(out);
        assert.deepEqual(records, await undisturbed());
        resume();
        const { code, stderr } = await first.ended();
        assert.equal(code, 0, stderr);
        assert.deepEqual(recordsOf(out), records);
        assert.equal(stepsOf(out), left);
      }),
  });
}

redisTest(
  "a worker and its run, suspended until another worker has ended it, change nothing of it",
  async (redis, out) => {
    const behaviours = ["fp=steps"];
    const first = startWorker(redis.url, { out, behaviours });
    const { outcome } = follow([TEACHER], { redis, out });
    await until(() => stepsOf(out) > 3, "a checkpoint");
    const pids = [...childrenOf(first.child.pid), first.child.pid];
    const resume = suspend(pids);
    await withWorkers(1, { redis, out, behaviours }, async () => {
      assert.deepEqual((await outcome).records.map(({ status }) => status), ["done"]);
      const record = readRecord(out, ID), left = stepsOf(out);
      resume();
      await until(() => childrenOf(first.child.pid).length === 0, "the end of the run that was lost");
      assert.deepEqual(readRecord(out, ID), record);
      assert.equal(stepsOf(out), left);
      assert.equal(starts(out).length, 2);
    });
    first.child.kill("SIGTERM");
    await first.child.status;
  },
);
