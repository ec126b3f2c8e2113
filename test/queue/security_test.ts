import assert from "node:assert/strict";
import { join } from "node:path";
import { checkRedis } from "../../src/queue/mod.ts";
import { parseQueueUrl } from "../../src/queue/url.ts";
import { runId } from "../../src/record/spec.ts";
import { logFile } from "../../src/store/store.ts";
import {
  ENCODED,
  follow,
  LSQ,
  REDIS_IS_THERE,
  redisTest,
  SECRET,
  startWorker,
  statuses,
  TEACHER,
  withWorkers,
} from "../support/fakes/queue.ts";
import { startRedis } from "../support/fakes/redis.ts";
import { withFolder } from "../support/fakes/specs.ts";

redisTest(
  "a password works, a wrong one is refused in one sentence, and it is nowhere to be read",
  async (redis, out) => {
    const url = redis.url.replace("//", `//:${ENCODED}@`);
    for (const wrong of [redis.url, redis.url.replace("//", "//:not-it@")]) {
      await assert.rejects(checkRedis(parseQueueUrl(wrong, undefined)), {
        name: "InputError",
        message:
          `Cannot use the queue at ${redis.url} as it rejects the password, or requires one: give the right one ` +
          "in the URL or in REQUANT_REDIS_PASSWORD",
      });
    }
    const { outcome, said } = follow([TEACHER], { redis, out }, url);
    const worker = startWorker(url, { out, behaviours: ["fp=throw"] });
    assert.deepEqual(statuses(await outcome), ["fp failed"]);
    worker.child.kill("SIGINT");
    const texts = [await worker.stderr, ...said, logFile(out, runId(TEACHER))].concat(
      [...Deno.readDirSync(join(out, "runs", runId(TEACHER)))].map(({ name }) =>
        Deno.readTextFileSync(join(out, "runs", runId(TEACHER), name))
      ),
    );
    assert.ok(texts.length >= 5 && texts[0]!.includes("Waiting for runs"));
    for (const text of texts) assert.ok(!text.includes(SECRET) && !text.includes(ENCODED), text);
  },
  ["--requirepass", SECRET],
);

Deno.test({
  name: REDIS_IS_THERE
    ? "TLS works with an authority of one's own, and is refused without"
    : "TLS (redis-server is not installed)",
  ignore: !REDIS_IS_THERE,
  fn: () =>
    withFolder(async (folder) => {
      const [key, certificate] = [join(folder, "key.pem"), join(folder, "certificate.pem")];
      const made = await new Deno.Command("openssl", {
        args: ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
          .concat(["-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate]),
        stdout: "null",
        stderr: "piped",
      }).output();
      assert.equal(made.code, 0, new TextDecoder().decode(made.stderr));
      const redis = await startRedis(join(folder, "redis"), [
        ...["--port", "0", "--tls-cert-file", certificate, "--tls-key-file", key, "--tls-ca-cert-file", certificate],
        ...["--tls-auth-clients", "no", "--requirepass", SECRET],
      ], "--tls-port");
      const url = `rediss://:${ENCODED}@localhost:${redis.port}`;
      const out = join(folder, "out"), before = Deno.env.get("REQUANT_REDIS_CA");
      try {
        await assert.rejects(checkRedis(parseQueueUrl(url)), {
          name: "InputError",
          message:
            `Cannot trust the queue at rediss://localhost:${redis.port} (self-signed certificate): give the PEM ` +
            "file of its authority in REQUANT_REDIS_CA",
        });
        Deno.env.set("REQUANT_REDIS_CA", certificate);
        await checkRedis(parseQueueUrl(url));
        await withWorkers(1, { redis, out, url }, async () => {
          assert.deepEqual(statuses(await follow([TEACHER, LSQ], { redis, out }, url).outcome), [
            "fp done",
            "lsq done",
          ]);
        });
      } finally {
        before === undefined ? Deno.env.delete("REQUANT_REDIS_CA") : Deno.env.set("REQUANT_REDIS_CA", before);
        await redis.kill();
      }
    }),
});
