import assert from "node:assert/strict";
import { join } from "node:path";
import { statePlan } from "../../src/plan/plan.ts";
import { bucketArtefacts } from "../../src/queue/artefacts.ts";
import { openBucket } from "../../src/queue/bucket.ts";
import { followPlan, queueName } from "../../src/queue/mod.ts";
import { parseQueueUrl } from "../../src/queue/url.ts";
import { runId, type RunSpec } from "../../src/record/spec.ts";
import { readRecord } from "../../src/store/store.ts";
import { LSQ, REDIS_IS_THERE, starts, startWorker, statuses, TEACHER, until } from "../support/fakes/queue.ts";
import { startRedis, TEST_TIMES } from "../support/fakes/redis.ts";
import { S3_KINDS, startS3, type TestS3 } from "../support/fakes/s3.ts";
import { withFolder } from "../support/fakes/specs.ts";

const STORE = "--store=s3://requant/grids/one";

/** Follows a plan from a folder that no worker has. */
async function follow(specs: readonly RunSpec[], { url, out, s3 }: { url: string; out: string; s3: TestS3 }) {
  return await followPlan(statePlan(specs, out), {
    address: parseQueueUrl(url),
    queue: await queueName(out, "wasm", s3.address),
    out,
    artefacts: bucketArtefacts(out, openBucket(s3.address)),
    times: TEST_TIMES,
  });
}

Deno.test({
  name:
    "machines that share a bucket and no folder: a teacher reaches its student, a killed worker's run its next worker" +
    (REDIS_IS_THERE ? "" : " (redis-server is not installed: apt-get install redis-server)"),
  ignore: !REDIS_IS_THERE,
  fn: () =>
    withFolder(async (folder) => {
      const redis = await startRedis(join(folder, "redis"));
      const s3 = await startS3(S3_KINDS.at(-1)!, join(folder, "s3"));
      const [a, b, c] = ["a", "b", "c"].map((name) => join(folder, name)) as [string, string, string];
      const env = s3.environment;
      const bucket = openBucket(s3.address);
      try {
        const outcome = follow([TEACHER, LSQ], { url: redis.url, out: c, s3 });
        const first = startWorker(redis.url, { out: a, behaviours: [STORE, "fp=slow"], env });
        const checkpoint = `runs/${runId(TEACHER)}/checkpoint.safetensors`;
        for (let tries = 0; Number(new TextDecoder().decode(await bucket.get(checkpoint) ?? undefined)) < 1; tries++) {
          assert.ok(tries < 300, "no checkpoint was stored");
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
        first.child.kill("SIGKILL");
        const second = startWorker(redis.url, { out: b, behaviours: [STORE, "fp=slow"], env });
        assert.deepEqual(statuses(await outcome), ["fp done", "lsq done"]);
        assert.ok(readRecord(c, runId(TEACHER))!.metrics!.firstStep! > 0, "it began anew");
        assert.deepEqual([...starts(a), ...starts(b)].sort(), ["start fp", "start fp", "start lsq"]);
        await until(() => readRecord(b, runId(LSQ)) !== null, "the record on the worker's machine");
        second.child.kill("SIGINT");
        const said = await first.stderr + await second.stderr;
        assert.ok(!said.includes(env["AWS_SECRET_ACCESS_KEY"]!), said);
        // A third machine finds all done.
        const d = join(folder, "d");
        await bucketArtefacts(d, bucket).pull([TEACHER, LSQ].map(runId), ["record.json"]);
        assert.equal(statePlan([TEACHER, LSQ], d).todo.length, 0);
      } finally {
        await redis.kill();
        await s3.kill();
      }
    }),
});
