/** Runs that a worker cannot prepare: others get them, and no worker ends. */
import assert from "node:assert/strict";
import { worker } from "../../src/cli/worker.ts";
import { InputError } from "../../src/errors.ts";
import { MOST_STARTS } from "../../src/queue/jobs.ts";
import { runId } from "../../src/record/spec.ts";
import { readRecord } from "../../src/store/store.ts";
import { follow, LSQ, redisTest, starts, statuses, TEACHER, withWorkers } from "../support/fakes/queue.ts";
import { TEST_TIMES } from "../support/fakes/redis.ts";
import { fakeCommand, fpSpec } from "../support/fakes/specs.ts";

const MISSING = new InputError('Cannot use data set "folder:flowers@64" as REQUANT_DATA is not set: set it');

redisTest(
  "a run whose data a worker cannot get is left to the others, and the worker goes on",
  (redis, out) =>
    withWorkers(2, {
      redis,
      out,
      prepareOn: (index) => index === 0 ? Promise.reject(MISSING) : Promise.resolve(),
    }, async (said) => {
      const specs = [TEACHER, LSQ, fpSpec({ seed: 1 }), fpSpec({ seed: 2 })];
      const ended = statuses(await follow(specs, { redis, out }).outcome);
      assert.deepEqual(ended.sort(), [...Array(3).fill("fp done"), "lsq done"]);
      assert.equal(starts(out).length, specs.length);
      assert.deepEqual(said.filter((line) => line.startsWith("0 ") && line.includes("started")), []);
      // Still there: it takes runs again once it can.
      const left = said.filter((line) =>
        line.includes("left to other workers, as it cannot be computed here: Cannot use")
      );
      assert.ok(left.every((line) => line.startsWith("0 ")));
    }),
);

redisTest("a run that no worker can prepare fails with the reason, and the workers go on", (redis, out) => {
  let missing = true, tries = 0;
  const prepareOn = () => (tries += 1, missing ? Promise.reject(MISSING) : Promise.resolve());
  return withWorkers(2, { redis, out, prepareOn, times: { ...TEST_TIMES, releaseDelayMs: 20 } }, async () => {
    assert.deepEqual(statuses(await follow([TEACHER], { redis, out }).outcome), ["fp failed"]);
    assert.equal(readRecord(out, runId(TEACHER))!.reason, MISSING.message);
    assert.equal(tries, MOST_STARTS);
    missing = false;
    assert.deepEqual(statuses(await follow([TEACHER], { redis, out }).outcome), ["fp done"]);
  });
});

redisTest("a run that names what nobody knows fails at once, and the workers go on", (redis, out) =>
  withWorkers(1, {
    redis,
    out,
    check: ({ spec }) => {
      if (spec.seed === 1) throw new InputError('Cannot use data set "nowhere" as it is not known: choose one of');
    },
  }, async () => {
    const specs = [fpSpec({ seed: 1 }), TEACHER];
    assert.deepEqual(statuses(await follow(specs, { redis, out }).outcome), ["fp failed", "fp done"]);
    assert.match(readRecord(out, runId(specs[0]!))!.reason!, /^Cannot use data set "nowhere" as it is not known/);
    assert.equal(starts(out).length, 1);
  }));

redisTest("a worker leaves runs of a precision that its processor lacks to others", async (redis, out) => {
  const stop = new AbortController(), never = new AbortController().signal, reason = "Cannot compute in bf16 here";
  let said = "";
  const working = worker(["--queue", redis.url, "--out", out, "--engine", "wasm"], {
    resolveEngine: () => Promise.resolve("wasm"),
    requireBfloat16: () => Promise.reject(new InputError(reason)),
    prepareDataset: () => Promise.resolve(),
    command: () => fakeCommand(),
    cores: 1,
    listenForInterrupts: () => ({ stop: stop.signal, kill: never, dispose: () => {} }),
    stdout() {},
    stderr: (text) => void (said += text),
    times: { ...TEST_TIMES, releaseDelayMs: 20 },
  });
  const specs = [fpSpec({ engine: "onednn", precision: "bf16" }), fpSpec({ engine: "tensorflow", precision: "tf32" })];
  assert.deepEqual(statuses(await follow([...specs, TEACHER], { redis, out }).outcome).sort(), [
    "fp done",
    "fp failed",
    "fp failed",
  ]);
  const reasons = specs.map((spec) => readRecord(out, runId(spec))!.reason);
  assert.deepEqual(reasons, [reason, "Cannot compute in TF32 as no GPU was found: leave --precision out"]);
  assert.equal(starts(out).length, 1, "no process was started for them");
  assert.match(said, /left to other workers, as it cannot be computed here: Cannot compute in bf16 here$/m);
  stop.abort();
  assert.equal(await working, 0, said);
});
