import assert from "node:assert/strict";
import { runId } from "../../src/record/spec.ts";
import { readRecord } from "../../src/store/store.ts";
import {
  follow,
  LSQ,
  OTHER,
  redisTest,
  starts,
  statuses,
  TEACHER,
  until,
  withWorkers,
} from "../support/fakes/queue.ts";
import { fpSpec } from "../support/fakes/specs.ts";

redisTest(
  "a server that is killed and started again loses nothing, and no run is run twice",
  (redis, out) =>
    withWorkers(2, { redis, out }, async (workersSaid) => {
      const specs = [TEACHER, LSQ, OTHER, ...[1, 2, 3].map((seed) => fpSpec({ seed }))];
      const { outcome, said } = follow(specs, { redis, out });
      await until(() => starts(out).length >= 2, "two runs");
      await redis.kill();
      await until(() => said.length > 0 && workersSaid.length > 0, "a word about the lost server");
      await redis.restart();
      assert.deepEqual(statuses(await outcome), [...Array(4).fill("fp done"), "lsq done", "other done"]);
      assert.equal(starts(out).length, specs.length);
      assert.match(said.at(-1)!, /^Queue at redis:\/\/127\.0\.0\.1:\d+: .*ECONN/);
    }),
);

redisTest("a submitter whose server is gone can be stopped", async (redis, out) => {
  const { outcome, said, stop } = follow([TEACHER], { redis, out });
  await until(() => said.length > 0, "the hint that no worker is there");
  await redis.kill();
  await until(() => said.length > 1, "a word about the lost server");
  stop();
  assert.equal((await outcome).unfinished.length, 1);
});

redisTest(
  "a worker that is cut off ends its run, which goes on where the queue is",
  (redis, out) =>
    withWorkers(1, { redis, out, behaviours: ["fp=slow"] }, async (workersSaid) => {
      const { outcome, events } = follow([TEACHER], { redis, out });
      await until(() => events.some(({ type }) => type === "message"), "progress");
      await redis.kill();
      await until(() => workersSaid.some((line) => line.includes("back in the queue")), "the end of the run");
      assert.equal(readRecord(out, runId(TEACHER)), null);
      await redis.restart();
      assert.deepEqual(statuses(await outcome), ["fp done"]);
      assert.ok(readRecord(out, runId(TEACHER))!.metrics!.firstStep! > 0);
    }),
);
