import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { InputError } from "../../src/errors.ts";
import { orderRuns, statePlan } from "../../src/runs/plan.ts";
import type { PoolEvent, PoolOutcome } from "../../src/runs/pool.ts";
import { checkRedis, followPlan, queueName, runWorker } from "../../src/runs/queue/mod.ts";
import { parseReleaseJob, parseRunJob, releaseJob, runJobId } from "../../src/runs/queue/jobs.ts";
import { addressWarning, parseQueueUrl, redact } from "../../src/runs/queue/url.ts";
import { runId, type RunSpec } from "../../src/runs/spec.ts";
import { logFile, readRecord, runFolder } from "../../src/runs/store.ts";
import { hasRedis, startRedis, TEST_TIMES, type TestRedis } from "./fakes/redis.ts";
import { fakeCommand, fpSpec, studentSpec, traceOf, withFolder } from "./fakes/specs.ts";

const TEACHER = fpSpec();
const LSQ = studentSpec("lsq", TEACHER);
const OTHER = studentSpec("other", TEACHER);
const SECRET = "s3cret/p@ss word";
const ENCODED = encodeURIComponent(SECRET);

Deno.test("parseQueueUrl() reads host, port, user, password, database and TLS", () => {
  assert.deepEqual(parseQueueUrl(`rediss://me:${ENCODED}@box:7000/3`, undefined), {
    host: "box",
    port: 7000,
    database: 3,
    tls: true,
    username: "me",
    password: SECRET,
    shown: "rediss://box:7000/3",
  });
  const plain = parseQueueUrl("redis://[::1]", "from the environment");
  assert.deepEqual([plain.host, plain.port, plain.tls, plain.password, plain.shown], [
    "::1",
    6379,
    false,
    "from the environment",
    "redis://[::1]:6379",
  ]);
});

const BAD_URLS: readonly (readonly [url: string, shown: string])[] = [
  ["http://box:6379", "http://box:6379"],
  ["box", "box"],
  ["redis://", "redis://"],
  ["redis://box/x", "redis://box/x"],
  [`http://:${ENCODED}@box:6379`, "http://***@box:6379"],
  [`redis://:${SECRET}@box:6379/x`, "redis://***@box:6379/x"],
  [`redis//:${SECRET}@box`, "***@box"],
  ["redis:hunter2", "***"],
];
for (const [url, shown] of BAD_URLS) {
  Deno.test(`parseQueueUrl() refuses ${shown} (${BAD_URLS.findIndex(([bad]) => bad === url)}) in one sentence`, () => {
    assert.throws(() => parseQueueUrl(url), {
      name: "InputError",
      message: `Cannot use queue "${shown}" as it must be the URL of a Redis server: write it such as ` +
        `redis://host:6379, or rediss://host:6379/0 for TLS`,
    });
  });
}

Deno.test("redact() hides user and password of every URL, and secrets plain and encoded", () => {
  assert.equal(
    redact("at redis://me:pw@a:1 and rediss://:p@w@b, not redis://c:2"),
    "at redis://***@a:1 and rediss://***@b, not redis://c:2",
  );
  assert.equal(redact(`${SECRET} ${ENCODED} x`, [SECRET, null, ""]), "*** *** x");
});

Deno.test("addressWarning() warns only without a password on an address that others reach", () => {
  assert.match(
    addressWarning(parseQueueUrl("redis://10.0.0.5", undefined))!,
    /^Warning: redis:\/\/10.0.0.5:6379 is used without a password, so /,
  );
  for (const url of ["redis://localhost", "redis://127.0.0.1", "redis://[::1]", "redis://:pw@10.0.0.5"]) {
    assert.equal(addressWarning(parseQueueUrl(url, undefined)), null, url);
  }
});

Deno.test("jobs from a queue are checked: another run's id, a path for an id, a student of another teacher", () => {
  const jobId = runJobId(runId(LSQ));
  assert.deepEqual(parseRunJob({ schema: 1, spec: LSQ }, jobId), { id: runId(LSQ), spec: LSQ });
  assert.throws(() => parseRunJob({ schema: 1, spec: OTHER }, jobId), {
    message: `Cannot run job ${jobId} as its spec is of run ${runId(OTHER)}`,
  });
  assert.throws(() => parseRunJob({ spec: LSQ }, jobId), /as its data is of another version of Requant/);
  const release = releaseJob(runId(TEACHER), orderRuns([TEACHER, LSQ]).slice(1), "q");
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

const THERE = await hasRedis();

/** A test with a server of its own and an empty folder. */
function redisTest(
  name: string,
  body: (redis: TestRedis, out: string) => Promise<void>,
  args: readonly string[] = [],
): void {
  Deno.test({
    name: THERE ? name : `${name} (redis-server is not installed: apt-get install redis-server)`,
    ignore: !THERE,
    fn: () =>
      withFolder(async (folder) => {
        const redis = await startRedis(join(folder, "redis"), args);
        try {
          await body(redis, join(folder, "out"));
        } finally {
          await redis.kill();
        }
      }),
  });
}

interface Following {
  readonly outcome: Promise<PoolOutcome>;
  readonly events: PoolEvent[];
  readonly said: string[];
  stop(): void;
}

/** Submits specs and follows them. */
function follow(specs: readonly RunSpec[], { redis, out }: { redis: TestRedis; out: string }, url = redis.url) {
  const stop = new AbortController();
  const following: Omit<Following, "outcome"> = { events: [], said: [], stop: () => stop.abort() };
  async function start(): Promise<PoolOutcome> {
    return await followPlan(statePlan(specs, out), {
      address: parseQueueUrl(url),
      queue: await queueName(out, "wasm"),
      out,
      interrupts: { stop: stop.signal, kill: stop.signal },
      onEvent: (event) => void following.events.push(event),
      say: (line) => void following.said.push(line),
      times: TEST_TIMES,
    });
  }
  return { ...following, outcome: start() } satisfies Following;
}

/** Runs `body` beside workers of this process, which are stopped afterwards. */
async function withWorkers<Result>(
  count: number,
  { redis, out, url = redis.url, behaviours = [] }: {
    redis: TestRedis;
    out: string;
    url?: string;
    behaviours?: string[];
  },
  body: (said: readonly string[]) => Promise<Result>,
): Promise<Result> {
  const stop = new AbortController();
  const said: string[] = [];
  const queue = await queueName(out, "wasm");
  const workers = Array.from({ length: count }, (_, index) =>
    runWorker({
      address: parseQueueUrl(url),
      queue,
      out,
      jobs: 1,
      command: fakeCommand(behaviours),
      interrupts: { stop: stop.signal, kill: stop.signal },
      say: (line) => void said.push(`${index} ${line}`),
      times: TEST_TIMES,
    }));
  try {
    return await body(said);
  } finally {
    stop.abort();
    await Promise.all(workers);
  }
}

/** A worker as its own process. */
function startWorker(url: string, { out, behaviours = [] }: { out: string; behaviours?: readonly string[] }) {
  const main = fileURLToPath(new URL("./fakes/worker_main.ts", import.meta.url));
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", "--no-check", main, url, out, ...behaviours],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  return { child, stderr: new Response(child.stderr).text() };
}

function starts(out: string): string[] {
  return traceOf(out).filter((line) => line.startsWith("start "));
}

async function until(condition: () => boolean, what: string): Promise<void> {
  for (let tries = 0; tries < 600; tries++) {
    if (condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  assert.fail(`Never came: ${what}`);
}

function statuses({ records }: PoolOutcome): string[] {
  return records.map(({ spec, status }) => `${spec.arm} ${status}`);
}

redisTest(
  "two workers share a plan, each run once, teachers first, and a second submission runs nothing",
  (redis, out) =>
    withWorkers(2, { redis, out }, async (said) => {
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

redisTest(
  "Ctrl-C on a worker: the run writes its checkpoint and goes back to the queue for another",
  async (redis, out) => {
    const { outcome, events } = follow([TEACHER], { redis, out });
    const worker = startWorker(redis.url, { out, behaviours: ["fp=slow"] });
    await until(() => events.some(({ type }) => type === "message"), "progress");
    worker.child.kill("SIGINT");
    const said = await worker.stderr;
    assert.equal((await worker.child.status).code, 0, said);
    assert.match(said, /^fp resnet8 seed 0: stopped, its checkpoint is kept, back in the queue$/m);
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

redisTest(
  "a password works, a wrong one is refused in one sentence, and it is nowhere to be read",
  async (redis, out) => {
    const url = redis.url.replace("//", `//:${ENCODED}@`);
    for (const wrong of [redis.url, redis.url.replace("//", "//:not-it@")]) {
      await assert.rejects(checkRedis(parseQueueUrl(wrong, undefined)), {
        name: "InputError",
        message: `Cannot use the queue at ${redis.url} as it refuses the password or its absence: give the right one ` +
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

redisTest("a submitter whose server is gone can be stopped", async (redis, out) => {
  const { outcome, said, stop } = follow([TEACHER], { redis, out });
  await until(() => said.length > 0, "the hint that no worker is there");
  await redis.kill();
  await until(() => said.length > 1, "a word about the lost server");
  stop();
  assert.equal((await outcome).unfinished.length, 1);
});

redisTest(
  "a worker that is cut off stops its run, which goes on where the queue is",
  (redis, out) =>
    withWorkers(1, { redis, out, behaviours: ["fp=slow"] }, async () => {
      const { outcome, events } = follow([TEACHER], { redis, out });
      await until(() => events.some(({ type }) => type === "message"), "progress");
      await redis.kill();
      await until(() => traceOf(out).includes("end fp"), "the stop of the run");
      assert.equal(readRecord(out, runId(TEACHER)), null);
      await redis.restart();
      assert.deepEqual(statuses(await outcome), ["fp done"]);
      assert.ok(readRecord(out, runId(TEACHER))!.metrics!.firstStep! > 0);
    }),
);

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

Deno.test({
  name: THERE
    ? "TLS works with an authority of one's own, and is refused without"
    : "TLS (redis-server is not installed)",
  ignore: !THERE,
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
      const out = join(folder, "out");
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
        Deno.env.delete("REQUANT_REDIS_CA");
        await redis.kill();
      }
    }),
});
