import assert from "node:assert/strict";
import { fixedRuns } from "../../src/cli/fixed_runs.ts";
import type { RunRecord } from "../../src/record/record.ts";
import type { RunSpec } from "../../src/record/spec.ts";
import { fakeCommand, fpSpec, studentSpec, traceOf, withFolder } from "../support/fakes/specs.ts";

const FP = fpSpec(), FIRST = studentSpec("first", FP), SECOND = studentSpec("second", FP);

/** A teacher and a student; a second one once the first is over. */
function specs(_engine: string, records: readonly RunRecord[]): RunSpec[] {
  const isOver = records.some(({ spec, status }) => spec.arm === "first" && status === "done");
  return [FP, FIRST, ...(isOver ? [SECOND] : [])];
}

async function call(out: string, args: readonly string[] = [], behaviours: readonly string[] = []) {
  const heard = { stdout: "", stderr: "" };
  const code = await fixedRuns(["--out", out, "--engine", "wasm", "--jobs", "1", ...args], {
    console: {
      stdout: (text: string) => heard.stdout += text,
      stderr: (text: string) => heard.stderr += text,
      isTerminal: false,
    } as never,
    services: { command: () => fakeCommand(behaviours), prepareDataset: async () => {} },
    runs: {
      task: "test",
      about: "A test",
      good: "all is done",
      specs,
      later: (_engine, records) => records.some(({ spec }) => spec.arm === "first") ? [] : [SECOND],
      result: (records) => ({
        text: records.map(({ spec, status }) => `${spec.arm} ${status}`).join(", "),
        good: records.length === 3,
      }),
    },
  });
  return { code, ...heard };
}

Deno.test("runs that the first records name follow in the same call, and a second call runs nothing", () =>
  withFolder(async (out) => {
    const first = await call(out);
    assert.deepEqual([first.code, first.stdout], [0, "fp done, first done, second done\n"]);
    const again = await call(out);
    assert.deepEqual([again.code, again.stdout], [0, "fp done, first done, second done\n"]);
    assert.equal(traceOf(out).filter((line) => line.startsWith("start")).length, 3);
  }));

Deno.test("--dry-run counts the runs that later records will name, and runs nothing", () =>
  withFolder(async (out) => {
    assert.match((await call(out, ["--dry-run"])).stdout, /^3 runs, 0 done, 3 left: .* core-hours here\n$/);
    assert.deepEqual(traceOf(out), []);
    await call(out);
    assert.match((await call(out, ["--dry-run"])).stdout, /^3 runs, 3 done, 0 left: 0\.00 core-hours here\n$/);
  }));

Deno.test("a run that fails ends the rounds that wait for it, with exit code 1", () =>
  withFolder(async (out) => {
    const { code, stdout } = await call(out, [], ["fp=throw"]);
    assert.equal(code, 1);
    assert.doesNotMatch(stdout, /second/);
  }));

Deno.test("a full disk ends it with one sentence and exit code 2", () =>
  withFolder(async (out) => {
    const { code, stdout, stderr } = await call(out, [], ["fp=diskFull"]);
    assert.deepEqual([code, stdout], [2, ""]);
    assert.match(
      stderr,
      /^Cannot continue as the disk of .* is full: free some space and run the same command again$/m,
    );
  }));
