/** Servers that answer but refuse: each refusal is named at the start, and waited out later. */
import assert from "node:assert/strict";
import { Redis } from "ioredis";
import { checkRedis } from "../../src/queue/mod.ts";
import { parseQueueUrl } from "../../src/queue/url.ts";
import {
  follow,
  redisTest,
  starts,
  startWorker,
  statuses,
  TEACHER,
  until,
  withWorkers,
} from "../support/fakes/queue.ts";
import { fpSpec } from "../support/fakes/specs.ts";

const OTHER_TEACHER = fpSpec({ seed: 1 });

/** Sends commands to a server as its administrator. */
async function asAdmin<Result>(url: string, body: (client: Redis) => Promise<Result>): Promise<Result> {
  const client = new Redis(url);
  try {
    return await body(client);
  } finally {
    client.disconnect();
  }
}

const FULL = ["CONFIG", "SET", "maxmemory", "1"] as const, ROOMY = ["CONFIG", "SET", "maxmemory", "0"] as const;
const REPLICA = ["REPLICAOF", "127.0.0.1", "1"] as const, PRIMARY = ["REPLICAOF", "NO", "ONE"] as const;

const REFUSALS: Readonly<Record<string, { set: readonly (readonly string[])[]; user?: boolean; message: RegExp }>> = {
  "is full": {
    set: [FULL],
    message: /refuses writing by a script \(EVAL\) \(.*OOM command not allowed.*\): give the server more memory$/,
  },
  "is a replica": {
    set: [REPLICA],
    message:
      /refuses writing by a script \(EVAL\) \(.*READONLY.*\): give the URL of the primary server, not of a replica$/,
  },
  ...Object.fromEntries([
    ["INFO", "-info"],
    ["CLIENT LIST", "-client|list"],
    ["writing by a script (EVAL)", "-eval"],
    ["waiting (BZPOPMIN)", "-bzpopmin"],
    ["reading events (XREAD)", "-xread"],
  ].map(([name, rule]) => [`forbids ${name}`, {
    set: [["ACL", "SETUSER", "worker", "on", ">secret", "~*", "&*", "+@all", rule!]],
    user: true,
    message: new RegExp(
      `refuses ${
        name!.replace(/[()]/g, "\\$&")
      } \\(NOPERM .*\\): give its user all commands on keys that begin with "bull:"`,
    ),
  }])),
};

for (const [name, { set, user = false, message }] of Object.entries(REFUSALS)) {
  redisTest(`a server that ${name} is refused at the start, by the name of what it refuses`, async (redis) => {
    await asAdmin(redis.url, async (client) => {
      for (const [command, ...rest] of set) await client.call(command!, ...rest);
    });
    const url = user ? redis.url.replace("//", "//worker:secret@") : redis.url;
    await assert.rejects(checkRedis(parseQueueUrl(url)), (error: Error) => {
      assert.equal(error.name, "InputError");
      assert.match(error.message, message);
      assert.ok(!error.message.includes("secret"));
      return true;
    });
  });
}

const REVOKED = ["ACL", "SETUSER", "default", "-evalsha", "-eval"] as const;
const GRANTED = ["ACL", "SETUSER", "default", "+evalsha", "+eval"] as const;

for (
  const [name, spoil, mend] of [
    ["becomes full", FULL, ROOMY],
    ["becomes a replica", REPLICA, PRIMARY],
    ["revokes rights", REVOKED, GRANTED],
  ] as const
) {
  redisTest(
    `a server that ${name} is asked seldom, and its runs are done once it is mended`,
    (redis, out) =>
      asAdmin(redis.url, async (client) => {
        const sent = async () => Number(/total_commands_processed:(\d+)/.exec(await client.info("stats"))![1]);
        const submitted = follow([TEACHER], { redis, out });
        await until(() => submitted.said.length > 0, "the hint that no worker is there");
        await client.call(spoil[0], ...spoil.slice(1));
        const second = follow([OTHER_TEACHER], { redis, out });
        await withWorkers(2, { redis, out }, async (workersSaid) => {
          await until(() => second.said.length > 0 && workersSaid.length > 0, "a word of all");
          const before = await sent();
          await new Promise((resolve) => setTimeout(resolve, 3000));
          const count = await sent() - before;
          assert.ok(count < 300, `${count} commands`);
          for (const line of [second.said[0]!, workersSaid[0]!.replace(/^\d /, "")]) {
            assert.match(line, /^Queue at redis:\/\/127\.0\.0\.1:\d+: .*(OOM|READONLY|NOPERM)/);
          }
          await client.call(mend[0], ...mend.slice(1));
          assert.deepEqual(statuses(await submitted.outcome), ["fp done"]);
          assert.deepEqual(statuses(await second.outcome), ["fp done"]);
        });
      }),
  );
}

redisTest("a worker whose server refuses everything ends at SIGTERM", async (redis, out) => {
  const { outcome, said, stop } = follow([TEACHER, OTHER_TEACHER], { redis, out });
  await until(() => said.length > 0, "the hint that no worker is there");
  const worker = startWorker(redis.url, { out, behaviours: ["fp=slow"] });
  await until(() => starts(out).length > 0, "a run");
  await asAdmin(redis.url, (client) => client.call("ACL", "SETUSER", "default", "-@all", "+client"));
  await new Promise((resolve) => setTimeout(resolve, 1500));
  worker.child.kill("SIGTERM");
  assert.equal((await worker.child.status).code, 0);
  assert.match(await worker.stderr, /^Queue at .*NOPERM/m);
  stop();
  await outcome;
});
