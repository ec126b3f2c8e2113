import assert from "node:assert/strict";
import { InputError } from "../../src/errors.ts";
import { orderRuns } from "../../src/plan/plan.ts";
import { parseReleaseJob, parseRunJob, releaseJob, runJobId } from "../../src/queue/jobs.ts";
import { checkRedis, queueName } from "../../src/queue/mod.ts";
import { parseQueueUrl } from "../../src/queue/url.ts";
import { runId } from "../../src/record/spec.ts";
import { ENCODED, LSQ, OTHER, SECRET, TEACHER } from "../support/fakes/queue.ts";
import { withFolder } from "../support/fakes/specs.ts";

Deno.test("jobs from a queue are checked: another run's id, a path for an id, a student of another teacher", () => {
  const jobId = runJobId(runId(LSQ));
  assert.deepEqual(parseRunJob({ schema: 1, spec: LSQ }, jobId), { id: runId(LSQ), spec: LSQ });
  assert.throws(() => parseRunJob({ schema: 1, spec: OTHER }, jobId), {
    message: `Cannot run job ${jobId} as its spec is of run ${runId(OTHER)}`,
  });
  assert.throws(() => parseRunJob({ spec: LSQ }, jobId), /as its data is of another version of Requant/);
  const release = releaseJob(runId(TEACHER), orderRuns([TEACHER, LSQ]).slice(1), { queueName: "q", retries: 1 });
  assert.equal(parseReleaseJob(release.data, "r").students[0]!.id, runId(LSQ));
  assert.throws(
    () => parseReleaseJob({ ...release.data, teacher: "../../etc" }, "r"),
    /another version of Requant/,
  );
  assert.throws(() => parseReleaseJob({ ...release.data, teacher: "0".repeat(16) }, "r"), /has another teacher/);
});

Deno.test("queueName() is one for a folder and an engine, and another for another folder", () =>
  withFolder((a) =>
    withFolder(async (b) => {
      const first = await queueName(a, "wasm");
      assert.match(first, /^requant-[0-9a-f]{8}-wasm$/);
      assert.equal(await queueName(a, "wasm"), first);
      assert.equal(await queueName(a, "tensorflow"), first.replace("wasm", "tensorflow"));
      assert.notEqual(await queueName(b, "wasm"), first);
    })
  ));

Deno.test("checkRedis() says in one sentence that nobody answers, without the password", async () => {
  const address = parseQueueUrl(`redis://:${ENCODED}@127.0.0.1:1`);
  await assert.rejects(checkRedis(address), (error: Error) => {
    assert.ok(error instanceof InputError);
    assert.match(error.message, /^Cannot reach the queue at redis:\/\/127.0.0.1:1 \(.*ECONNREFUSED.*\): start redis-/);
    assert.ok(!error.message.includes(SECRET) && !error.message.includes(ENCODED));
    return true;
  });
});
