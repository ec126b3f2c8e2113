import assert from "node:assert/strict";
import { join } from "node:path";
import { runs } from "../../src/cli/runs.ts";
import { openLocks } from "../../src/store/locks.ts";
import { statePlan } from "../../src/plan/plan.ts";
import { runPool } from "../../src/pool/pool.ts";
import { runId } from "../../src/record/spec.ts";
import { openRun, runFolder } from "../../src/store/store.ts";
import { fakeCommand, fpSpec, studentSpec, withFolder } from "../support/fakes/specs.ts";

const TEACHER = fpSpec(), LSQ = studentSpec("lsq", TEACHER), BAD = studentSpec("bad", TEACHER);
const LEFT = fpSpec({ seed: 5 });

async function cli(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  let [stdout, stderr] = ["", ""];
  const code = await runs(args, {
    stdout: (text) => void (stdout += text),
    stderr: (text) => void (stderr += text),
    stop: new AbortController().signal,
  });
  return { code, stdout, stderr };
}

/** A done teacher, a done student, a failed one, and a run that never ended. */
function withRuns(body: (out: string) => Promise<void>): () => Promise<void> {
  return () =>
    withFolder(async (out) => {
      const specs = [TEACHER, LSQ, BAD];
      await runPool(statePlan(specs, out), { out, jobs: 2, command: fakeCommand(["bad=throw"]) });
      openRun(out, LEFT);
      await body(out);
    });
}

function names(out: string, spec = TEACHER): string[] {
  return [...Deno.readDirSync(runFolder(out, runId(spec)))].map(({ name }) => name).sort();
}

Deno.test(
  "runs list shows every run's state, and the same for machines",
  withRuns(async (out) => {
    const { code, stdout } = await cli("list", "--out", out);
    assert.equal(code, 0);
    assert.match(stdout, new RegExp(`^${runId(TEACHER)} {2}fp resnet8 seed 0 +done, 40\\.00 % top-1, `, "m"));
    assert.match(stdout, new RegExp(`^${runId(BAD)} {2}bad resnet8 W2A4 seed 0 +failed: the fake trainer threw$`, "m"));
    assert.match(stdout, new RegExp(`^${runId(LEFT)} {2}fp resnet8 seed 5 +not over, 0 of 1 epochs$`, "m"));
    assert.match(stdout, /^4 runs: .*; \d+\.\d MiB in /m);
    assert.match(stdout, /2 done/);
    const document = JSON.parse((await cli("list", "--out", out, "--json")).stdout);
    assert.deepEqual(document.runs.map(({ status }: { status: string }) => status).sort(), [
      "done",
      "done",
      "failed",
      null,
    ]);
    Deno.mkdirSync(join(out, "none"));
    assert.match((await cli("list", "--out", join(out, "none"))).stdout, /^No runs in /);
  }),
);

Deno.test(
  "runs show and tail take the first digits of an id",
  withRuns(async (out) => {
    const id = runId(BAD);
    const shown = await cli("show", id.slice(0, 12), "--out", out);
    assert.match(shown.stdout, /^State: failed: the fake trainer threw$/m);
    assert.match(shown.stdout, /^Last lines of its log:\n( {2}.*\n)+/m);
    assert.match(shown.stdout, /^ {2}log\.txt {2}\d+ bytes$/m);
    assert.equal(JSON.parse((await cli("show", id, "--out", out, "--json")).stdout).status, "failed");
    const tailed = await cli("tail", id, "--out", out, "--lines", "2");
    assert.equal(tailed.stdout.trimEnd().split("\n").length, 2);
    assert.equal((await cli("tail", id, "--out", out, "--follow", "--lines", "1")).code, 0);
  }),
);

Deno.test(
  "runs clean shows by default, and deletes only what its flags name",
  withRuns(async (out) => {
    Deno.writeTextFileSync(join(runFolder(out, runId(TEACHER)), "checkpoint.safetensors.1.tmp"), "half");
    const shown = await cli("clean", "--out", out);
    assert.match(shown.stdout, /MiB could be deleted: give --delete together with --failed or --unfinished or /);
    assert.ok(names(out).includes("checkpoint.safetensors.1.tmp"));
    assert.deepEqual((await cli("clean", "--delete", "--out", out)).code, 2);

    assert.equal((await cli("clean", "--failed", "--temporary", "--delete", "--out", out)).code, 0);
    assert.throws(() => names(out, BAD), Deno.errors.NotFound);
    assert.deepEqual(names(out), ["checkpoint.safetensors", "events.jsonl", "log.txt", "record.json", "spec.json"]);
    assert.ok(names(out, LEFT).length > 0);

    await cli("clean", "--checkpoints", "--delete", "--out", out);
    assert.ok(names(out).includes("checkpoint.safetensors"), "a teacher keeps its checkpoint");
    assert.ok(!names(out, LSQ).includes("checkpoint.safetensors"));
    assert.ok(names(out, LSQ).includes("record.json"));
  }),
);

Deno.test(
  "runs clean leaves a run that a scheduler has, and one that cannot be read",
  withRuns(async (out) => {
    const locks = openLocks(out);
    locks.take(runId(LEFT));
    Deno.writeTextFileSync(join(runFolder(out, runId(BAD)), "record.json"), "{");
    const { stdout, stderr } = await cli("clean", "--unfinished", "--failed", "--delete", "--out", out);
    assert.match(stdout, /fp resnet8 seed 5: left, as a process has it$/m);
    assert.match(stderr, new RegExp(`^Run ${runId(BAD)} is left as it is: Cannot read the record `));
    assert.ok(names(out, LEFT).length > 0 && names(out, BAD).length > 0);
    locks.close();
    await cli("clean", "--unfinished", "--delete", "--out", out);
    assert.throws(() => names(out, LEFT), Deno.errors.NotFound);
  }),
);

const BAD_INPUTS: readonly (readonly [args: string, message: RegExp])[] = [
  [
    "ls",
    /^Cannot use command "ls" as it is not known(?:, perhaps list was meant)?: choose one of list, show, tail, networks, clean, or --help\n$/,
  ],
  [
    "toString",
    /^Cannot use command "toString" as it is not known(?:, perhaps list was meant)?: choose one of list, show, tail, networks, clean, or --help\n$/,
  ],
  ...["list", "clean", "clean --failed --delete", "show f00d", "networks --to x"].map((command) =>
    [
      `${command} --out OUT/nope`,
      /^Cannot look for runs in .*nope as there is no such folder: give the --out folder of a `deno task bench`\n$/,
    ] as const
  ),
  ["show", /^Cannot run `deno task runs show` without ID: add it\n$/],
  ["show ../../etc --out OUT", /^Cannot use run "\.\.\/\.\.\/etc" as it must be the first digits of an id: see /],
  [
    "show f00d --out OUT",
    /^Cannot find run "f00d" in .* as no id begins so: see `deno task runs list --out DIR`\n$/,
  ],
  [
    "tail f00d --lines 0 --out OUT",
    /^Cannot use --lines "0" as it must be a whole number from 1 to 1000000: give such as 50\n$/,
  ],
  [
    "list --jsn",
    /^Cannot use option --jsn as it is not known, perhaps --json was meant: choose among --out, --json, --help\n$/,
  ],
];
for (const [args, message] of BAD_INPUTS) {
  Deno.test(`runs ${args} ends with one sentence and exit code 2`, () =>
    withFolder(async (out) => {
      const { code, stdout, stderr } = await cli(...args.replace("OUT", out).split(" "));
      assert.deepEqual([code, stdout], [2, ""]);
      assert.match(stderr, message);
    }));
}

Deno.test("runs alone and --help name every command, and each command has a help of its own", async () => {
  const { code, stdout } = await cli("--help");
  assert.equal(code, 0);
  for (const word of ["list", "show", "tail", "networks", "clean"]) {
    assert.match(stdout, new RegExp(`^  ${word} `, "m"));
  }
  const clean = await cli("clean", "--help");
  assert.equal(clean.code, 0);
  for (const word of ["--failed", "--checkpoints", "--delete", "--out DIR"]) {
    assert.ok(clean.stdout.includes(word), word);
  }
  assert.match((await cli("tail", "--help")).stdout, /--lines N +how many; default: 20\n +--follow /);
});
