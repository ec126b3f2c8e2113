import assert from "node:assert/strict";
import { runId } from "../../src/record/spec.ts";
import { readRecord } from "../../src/store/store.ts";
import { follow, LSQ, OTHER, redisTest, starts, statuses, TEACHER, withWorkers } from "../support/fakes/queue.ts";
import { fpSpec, studentSpec } from "../support/fakes/specs.ts";

redisTest(
  "two workers share a plan, each run once, teachers first, and a second submission runs nothing",
  (redis, out) =>
    // of a run that ends at once the record may be seen before its messages
    withWorkers(2, { redis, out, behaviours: ["lsq=steps"] }, async (said) => {
      const specs = [0, 1].flatMap((seed) => {
        const teacher = fpSpec({ seed });
        return [teacher, studentSpec("lsq", teacher), studentSpec("other", teacher)];
      });
      const first = follow(specs, { redis, out });
      const twin = follow(specs, { redis, out });
      const outcome = await first.outcome;
      assert.deepEqual(statuses(outcome), ["fp", "fp", "lsq", "other", "lsq", "other"].map((arm) => `${arm} done`));
      assert.deepEqual((await twin.outcome).records, outcome.records);
      assert.deepEqual(outcome.unfinished, []);
      assert.equal(starts(out).length, 6);
      for (const { spec, startedAt } of outcome.records) {
        if (spec.teacher === null) continue;
        const { startedAt: teacherAt, wallSeconds } = readRecord(out, spec.teacher)!;
        assert.ok(Date.parse(startedAt) >= Date.parse(teacherAt) + wallSeconds * 1000 - 1);
      }
      assert.equal(new Set(said.filter((line) => line.includes("started")).map((line) => line[0])).size, 2);
      const types = first.events.filter(({ run }) => run.id === runId(LSQ)).map(({ type }) => type);
      assert.deepEqual([types[0], types.at(-1)], ["started", "ended"]);
      assert.ok(types.includes("message"));

      const again = await follow(specs, { redis, out }).outcome;
      assert.deepEqual(again.records, outcome.records);
      assert.equal(starts(out).length, 6);
    }),
);

redisTest(
  "a second plan with the same teacher gets its own students after it",
  (redis, out) =>
    withWorkers(1, { redis, out }, async () => {
      const [a, b] = [follow([TEACHER, LSQ], { redis, out }), follow([TEACHER, OTHER], { redis, out })];
      assert.deepEqual(statuses(await a.outcome), ["fp done", "lsq done"]);
      assert.deepEqual(statuses(await b.outcome), ["fp done", "other done"]);
      assert.deepEqual(starts(out).sort(), ["start fp", "start lsq", "start other"]);
    }),
);

redisTest(
  "a run that fails is tried twice, then it and its students are failed records, and the rest goes on",
  (redis, out) =>
    withWorkers(2, { redis, out, behaviours: ["poison=throw", "crash=crash"] }, async () => {
      const poison = fpSpec({ arm: "poison", seed: 3 });
      const specs = [TEACHER, LSQ, poison, studentSpec("lost", poison), studentSpec("crash", TEACHER)];
      const { outcome, events } = follow(specs, { redis, out });
      assert.deepEqual(statuses(await outcome).sort(), [
        "crash failed",
        "fp done",
        "lost failed",
        "lsq done",
        "poison failed",
      ]);
      assert.deepEqual(starts(out).filter((line) => /poison|crash|lost/.test(line)).sort(), [
        "start crash",
        "start crash",
        "start poison",
        "start poison",
      ]);
      assert.equal(readRecord(out, runId(poison))!.reason, "the fake trainer threw");
      assert.equal(
        readRecord(out, runId(studentSpec("lost", poison)))!.reason,
        `Its teacher ${runId(poison)} (poison resnet8 seed 3) ended as failed: the fake trainer threw`,
      );
      assert.equal(events.filter(({ type, run }) => type === "ended" && run.spec.arm === "poison").length >= 1, true);
    }),
);

redisTest("a run that failed is tried again by the next submission", async (redis, out) => {
  await withWorkers(1, { redis, out, behaviours: ["fp=throw"] }, async () => {
    assert.deepEqual(statuses(await follow([TEACHER, LSQ], { redis, out }).outcome), ["fp failed", "lsq failed"]);
  });
  await withWorkers(1, { redis, out }, async () => {
    assert.deepEqual(statuses(await follow([TEACHER, LSQ], { redis, out }).outcome), ["fp done", "lsq done"]);
  });
  assert.deepEqual(starts(out), ["start fp", "start fp", "start fp", "start lsq"]);
});
