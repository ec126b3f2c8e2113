import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { worker as work } from "../../src/cli/worker.ts";
import type { ReportInput } from "../../src/report/mod.ts";
import { cli as bench } from "../support/bench_cli.ts";
import { hasRedis, startRedis, TEST_TIMES } from "../support/fakes/redis.ts";
import { fakeCommand, traceOf, withFolder } from "../support/fakes/specs.ts";

const NEVER = new AbortController().signal;

/** The command, but for its line about the engine. */
async function cli(args: readonly string[]) {
  const result = await bench(args);
  return { ...result, stderr: result.stderr.replace(/^Engine: .*\n/, "") };
}

/** The worker's command with fake runs. */
async function worker(args: readonly string[], stop = NEVER) {
  let stdout = "";
  let stderr = "";
  const code = await work(args, {
    resolveEngine: () => Promise.resolve("wasm"),
    prepareDataset: () => Promise.resolve(),
    command: () => fakeCommand(),
    cores: 2,
    listenForInterrupts: () => ({ stop, kill: NEVER, dispose: () => {} }),
    stdout: (text) => void (stdout += text),
    stderr: (text) => void (stderr += text),
    times: TEST_TIMES,
  });
  return { code, stdout, stderr };
}

const NO_URL = 'Cannot use queue "http://***@box:6379" as it must be the URL of a Redis server: write it such as ' +
  "redis://host:6379, or rediss://host:6379/0 for TLS";
const NOBODY =
  /^Cannot reach the queue at redis:\/\/127\.0\.0\.1:1 \([^\n]*ECONNREFUSED[^\n]*\): start redis-server there, or correct the URL$/;
const BAD_WORKER_INPUTS: readonly (readonly [args: string, message: string | RegExp])[] = [
  ["--out DIR", "Cannot run `deno task worker` without --queue: give --queue URL"],
  ["--queue redis://box", "Cannot run `deno task worker` without --out: give --out DIR"],
  ["--queue http://:hunter2@box:6379 --out DIR", NO_URL],
  ["--queue redis://:hunter2@127.0.0.1:1 --out DIR", NOBODY],
  [
    "--queue redis://box --out DIR --jobs 0",
    'Cannot use --jobs "0" as it must be a whole number from 1 to 1024: leave it out for one per core',
  ],
  [
    "--queue redis://box --out DIR --engine torch",
    'Cannot use engine "torch" as it is not known: choose one of auto, onednn, tensorflow, wasm',
  ],
  ["redis://:hunter2@box", 'Cannot use "redis://***@box" as it belongs to no option: see --help'],
  ["--qeue=redis://:hunter2@box", /^Cannot use option --qeue as it is not known: choose among --queue, --out, /],
];
for (const [args, message] of BAD_WORKER_INPUTS) {
  Deno.test(`worker ${args.replace("hunter2", "PASSWORD")} ends with one sentence and exit code 2`, () =>
    withFolder(async (out) => {
      const { code, stdout, stderr } = await worker(args.replace("DIR", out).split(" "));
      assert.deepEqual([code, stdout], [2, ""]);
      assert.equal(stderr.split("\n").length, 2);
      if (typeof message === "string") assert.equal(stderr, message + "\n");
      else assert.match(stderr.trimEnd(), message);
      assert.ok(!stderr.includes("hunter2"), stderr);
    }));
}

const BAD_BENCH_INPUTS: readonly (readonly [args: string, message: string | RegExp])[] = [
  ["--queue http://:hunter2@box:6379", NO_URL],
  ["--queue redis://:hunter2@127.0.0.1:1", NOBODY],
  ["--queue redis://box --jobs 2", "Cannot use --jobs together with --queue: give it to each `deno task worker`"],
  [
    "--queue redis://box --memory 9",
    "Cannot use --memory together with --queue: give it to each `deno task worker`",
  ],
  [
    "--queue redis://box --fail-fast",
    "Cannot use --fail-fast together with --queue: leave it out, or run without a queue",
  ],
  ["redis://:hunter2@box", 'Cannot use "redis://***@box" as it belongs to no option: see --help'],
];
for (const [args, message] of BAD_BENCH_INPUTS) {
  Deno.test(`bench ${args.replace("hunter2", "PASSWORD")} ends with one sentence and exit code 2`, () =>
    withFolder(async (out) => {
      const { code, stdout, stderr } = await cli(["--paper", "mec", "--out", out, ...args.split(" ")]);
      assert.deepEqual([code, stdout], [2, ""]);
      if (typeof message === "string") assert.equal(stderr, message + "\n");
      else assert.match(stderr.trimEnd(), message);
      assert.ok(!stderr.includes("hunter2"), stderr);
    }));
}

Deno.test("worker --help names every flag and exit code", async () => {
  const { code, stdout } = await worker(["--help"]);
  assert.equal(code, 0);
  for (
    const flag of [
      "--queue URL",
      "--out DIR",
      "--jobs N",
      "--timeout MINUTES",
      "--memory MIB",
      "--engine auto|onednn|tensorflow|wasm",
    ]
  ) {
    assert.ok(stdout.includes(`  ${flag} `), flag);
  }
  assert.match(stdout, /Exit codes: 0 stopped as asked, 2 /);
});

Deno.test("the worker command itself exits with 2 on a bad URL and shows no password", async () => {
  const main = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", "--no-check", main, "worker", "--queue", "http://:hunter2@box:6379", "--out", "x"],
    stdout: "null",
    stderr: "piped",
  }).output();
  assert.deepEqual([code, new TextDecoder().decode(stderr)], [2, NO_URL + "\n"]);
});

const THERE = await hasRedis();
Deno.test({
  name: "bench --queue ends with the tables of a local run" +
    (THERE ? "" : " (redis-server is not installed: apt-get install redis-server)"),
  ignore: !THERE,
  fn: () =>
    withFolder(async (folder) => {
      const [local, shared] = [join(folder, "local"), join(folder, "shared")];
      const redis = await startRedis(join(folder, "redis"));
      const stop = new AbortController();
      try {
        const expected = await cli(["--paper", "mec", "--out", local]);
        const working = worker(["--queue", redis.url, "--out", shared, "--jobs", "2"], stop.signal);
        const { code, stdout, stderr, reported } = await cli(["--paper", "mec", "--out", shared, "--queue", redis.url]);
        assert.equal(code, 0, stderr);
        assert.equal(stdout, expected.stdout);
        assert.match(
          stderr,
          /^3 runs to do, 0 done before, left to the workers of redis:\/\/127\.0\.0\.1:\d+ on folder /,
        );
        assert.match(stderr, /^\[3\/3\] .*: done, 40\.00 % top-1, /m);
        assert.match(stderr, /^Protocol smoke, 3 of 3 runs done$/m);
        const numbers = ({ records }: ReportInput) =>
          records.map(({ id, spec, status, metrics, curve }) => ({ id, spec, status, metrics, curve }));
        assert.deepEqual(numbers(reported[0]!), numbers(expected.reported[0]!));

        // What is done needs no server.
        await redis.kill();
        const again = await cli(["--paper", "mec", "--out", shared, "--queue", redis.url]);
        assert.deepEqual([again.code, again.stdout], [0, expected.stdout]);
        assert.equal(traceOf(shared).filter((line) => line.startsWith("start")).length, 3);
        await redis.restart();
        stop.abort();
        const { code: workerCode, stderr: said } = await working;
        assert.equal(workerCode, 0);
        assert.match(said, /^Waiting for runs of engine wasm from redis:\/\/127\.0\.0\.1:\d+, 2 at once, in /);
      } finally {
        stop.abort();
        await redis.kill();
      }
    }),
});
