import assert from "node:assert/strict";
import { join } from "node:path";
import { loadText, simulate } from "../../perf/queue_load/load.ts";
import { parseQueueUrl } from "../../src/queue/url.ts";
import { hasRedis, startRedis } from "../support/fakes/redis.ts";
import { withFolder } from "../support/fakes/specs.ts";

const THERE = await hasRedis();

Deno.test({
  name: "simulate() computes every run once and tells what it took" +
    (THERE ? "" : " (redis-server is not installed: apt-get install redis-server)"),
  ignore: !THERE,
  fn: () =>
    withFolder(async (folder) => {
      const redis = await startRedis(join(folder, "redis"));
      try {
        const load = {
          address: parseQueueUrl(redis.url),
          out: join(folder, "out"),
          ...{ workers: 4, slots: 2, teachers: 3, studentsEach: 5, runMs: 20 },
          say: () => {},
        };
        const result = await simulate(load);
        assert.deepEqual([result.runs, result.repeated], [18, 0]);
        assert.ok(result.fewest <= 18 / 4 && result.most >= 18 / 4, JSON.stringify(result));
        assert.ok(result.connections >= 8);
        assert.match(loadText(load, result), /^4 workers of 2 slots, 18 runs of 20 ms \(3 teachers\)\nSubmitted in /);
      } finally {
        await redis.kill();
      }
    }),
});
