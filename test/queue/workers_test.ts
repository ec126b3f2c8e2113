import assert from "node:assert/strict";
import { statePlan } from "../../src/plan/plan.ts";
import { gpuPlaces } from "../../src/pool/places.ts";
import { runPool } from "../../src/pool/pool.ts";
import { MOST_LOST_WORKERS } from "../../src/queue/jobs.ts";
import { queueName, runWorker } from "../../src/queue/mod.ts";
import { parseQueueUrl } from "../../src/queue/url.ts";
import { runId } from "../../src/record/spec.ts";
import { logFile, readRecord, runFolder } from "../../src/store/store.ts";
import {
  childrenOf,
  follow,
  LSQ,
  redisTest,
  starts,
  startWorker,
  statuses,
  TEACHER,
  until,
  withWorkers,
} from "../support/fakes/queue.ts";
import { TEST_TIMES } from "../support/fakes/redis.ts";
import { fakeCommand, fpSpec, TEST_LOCK_TIMES } from "../support/fakes/specs.ts";

redisTest("a killed worker's run is taken over and goes on from its checkpoint", async (redis, out) => {
  const { outcome } = follow([TEACHER, LSQ], { redis, out });
  const worker = startWorker(redis.url, { out, behaviours: ["fp=slow"] });
  await until(() => starts(out).length === 1, "the start of the teacher");
  await new Promise((resolve) => setTimeout(resolve, 300));
  worker.child.kill("SIGKILL");
  await worker.stderr;
  await withWorkers(1, { redis, out, behaviours: ["fp=slow"] }, async () => {
    assert.deepEqual(statuses(await outcome), ["fp done", "lsq done"]);
  });
  assert.deepEqual(starts(out), ["start fp", "start fp", "start lsq"]);
  assert.ok(readRecord(out, runId(TEACHER))!.metrics!.firstStep! > 0);
});

redisTest("a run that takes its workers down with it has a record after the fourth", async (redis, out) => {
  const { outcome } = follow([TEACHER], { redis, out });
  for (let lost = 1; lost <= MOST_LOST_WORKERS + 1; lost++) {
    const worker = startWorker(redis.url, { out, behaviours: ["fp=slow"] });
    await until(() => starts(out).length === lost, `start ${lost} of the run`);
    const runs = childrenOf(worker.child.pid);
    worker.child.kill("SIGKILL");
    for (const pid of runs) Deno.kill(pid, "SIGKILL");
    await worker.stderr;
  }
  // the words are ours, made of BullMQ's: another version of it must not change them unseen
  await withWorkers(1, { redis, out }, async () => assert.deepEqual(statuses(await outcome), ["fp failed"]));
  assert.equal(readRecord(out, runId(TEACHER))!.reason, "Its worker was lost 4 times while it ran");
  assert.equal(starts(out).length, MOST_LOST_WORKERS + 1);
});

redisTest(
  "Ctrl-C on a worker: the run writes its checkpoint and goes back to the queue for another",
  async (redis, out) => {
    const { outcome, events } = follow([TEACHER], { redis, out });
    const worker = startWorker(redis.url, { out, behaviours: ["fp=slow"] });
    await until(() => events.some(({ type }) => type === "message"), "progress");
    worker.child.kill("SIGINT");
    const said = await worker.stderr;
    assert.equal((await worker.child.status).code, 0, said);
    assert.match(said, /^fp resnet8 seed 0: stopped, back in the queue$/m);
    assert.match(Deno.readTextFileSync(logFile(out, runId(TEACHER))), /Stopped as asked/);
    const stoppedAt = performance.now();
    await withWorkers(1, { redis, out, behaviours: ["fp=slow"] }, async () => {
      assert.deepEqual(statuses(await outcome), ["fp done"]);
    });
    // It was handed over, not lost: nobody waited for a lock to run out.
    assert.ok(performance.now() - stoppedAt < 2 * TEST_TIMES.lockMs);
    assert.ok(readRecord(out, runId(TEACHER))!.metrics!.firstStep! > 0);
  },
);

redisTest(
  "a submitter that is stopped leaves the runs to the workers and finds them done later",
  async (redis, out) => {
    const first = follow([TEACHER, LSQ], { redis, out });
    await until(() => first.said.length > 0, "the hint that no worker is there");
    assert.match(first.said[0]!, /^No worker is there yet: start some with/);
    first.stop();
    assert.deepEqual((await first.outcome).unfinished.map(({ spec }) => spec.arm), ["fp", "lsq"]);
    await withWorkers(
      1,
      { redis, out },
      () => until(() => readRecord(out, runId(LSQ)) !== null, "the student's record"),
    );
    assert.equal(starts(out).length, 2);
  },
);

redisTest("a worker's runs are spread over its GPUs, each told its own", async (redis, out) => {
  const gpus = ["GPU-aa", "GPU-bb"].map((visible) => ({ visible, name: `NVIDIA of ${visible}`, memoryMiB: 80_000 }));
  const specs = [0, 1].map((seed) => fpSpec({ arm: "tell", seed })), { outcome } = follow(specs, { redis, out });
  const jobs = gpuPlaces({ gpus, jobs: 2, most: 4 }), behaviours = ["tell=tellEnvironment"];
  await withWorkers(1, { redis, out, behaviours, jobs }, async () => {
    assert.deepEqual(statuses(await outcome), ["tell done", "tell done"]);
  });
  const visible = specs.map((spec) =>
    /"CUDA_VISIBLE_DEVICES":"([^"]*)"/.exec(Deno.readTextFileSync(logFile(out, runId(spec))))![1]
  );
  assert.deepEqual(visible.sort(), ["GPU-aa", "GPU-bb"]);
  // both places are free again
  assert.deepEqual([0, 1].map(() => jobs.take({ id: "", spec: specs[0]! }).gpu).sort(), gpus.map(({ name }) => name));
});

redisTest("a worker that cannot write its folder gives the run back and ends with one sentence", async (redis, out) => {
  const { outcome, stop } = follow([TEACHER], { redis, out });
  const queue = await queueName(out, "wasm");
  Deno.writeTextFileSync(runFolder(out, runId(TEACHER)), "a file where a folder is needed");
  const never = new AbortController().signal;
  await assert.rejects(
    runWorker({
      address: parseQueueUrl(redis.url),
      queue,
      out,
      jobs: 1,
      command: fakeCommand(),
      interrupts: { stop: never, kill: never },
      times: TEST_TIMES,
    }),
    { name: "InputError", message: /^Cannot write .* as a file stands where a folder is needed/ },
  );
  Deno.removeSync(runFolder(out, runId(TEACHER)));
  await withWorkers(1, { redis, out }, async () => assert.deepEqual(statuses(await outcome), ["fp done"]));
  stop();
});

redisTest(
  "a poisoned run stops after its retries, and a run that breaks a limit at once",
  (redis, out) =>
    withWorkers(2, {
      redis,
      out,
      behaviours: ["poison=crash", "long=slow"],
      limits: { timeoutMs: 5000, memoryMiB: null },
    }, async () => {
      const specs = ["poison", "long", "fine"].map((arm) => fpSpec({ arm }));
      const { outcome } = follow(specs, { redis, out, retries: 2 });
      assert.deepEqual(statuses(await outcome), ["poison failed", "long timeout", "fine done"]);
      assert.deepEqual(starts(out).sort(), ["fine", "long", "poison", "poison", "poison"].map((arm) => `start ${arm}`));
      assert.match(readRecord(out, runId(specs[1]!))!.reason!, /^It took longer than 0\.0833 minutes: give more with /);
      assert.ok(readRecord(out, runId(specs[0]!))!.log!.length > 0);
    }),
);

redisTest(
  "workers of a queue and a pool beside it share a folder and run nothing twice",
  (redis, out) =>
    withWorkers(1, { redis, out, behaviours: ["fp=steps"] }, async () => {
      const specs = [0, 1, 2, 3].map((seed) => fpSpec({ seed }));
      const { outcome } = follow(specs, { redis, out });
      const command = fakeCommand(["fp=steps"]);
      const pool = await runPool(statePlan(specs, out), { out, jobs: 1, command, lockTimes: TEST_LOCK_TIMES });
      for (const { records } of [pool, await outcome]) {
        assert.deepEqual(records.map(({ status }) => status), Array(4).fill("done"));
      }
      assert.equal(starts(out).length, 4);
    }),
);
