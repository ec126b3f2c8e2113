import assert from "node:assert/strict";
import { join } from "node:path";
import { residentMiB, watchLimits } from "../../src/pool/limits.ts";
import { statePlan } from "../../src/plan/plan.ts";
import { type PoolEvent, type PoolOptions, type PoolOutcome, runPool } from "../../src/pool/pool.ts";
import { runId, type RunSpec } from "../../src/record/spec.ts";
import { runFolder } from "../../src/store/store.ts";
import { fakeCommand, fpSpec, studentSpec, traceOf, withFolder } from "../support/fakes/specs.ts";

async function pool(
  specs: readonly RunSpec[],
  { out, behaviours = [], ...rest }: { out: string; behaviours?: string[] } & Partial<PoolOptions>,
): Promise<{ outcome: PoolOutcome; events: PoolEvent[] }> {
  const events: PoolEvent[] = [];
  const outcome = await runPool(statePlan(specs, out), {
    out,
    jobs: 2,
    command: fakeCommand(behaviours),
    onEvent: (event) => void events.push(event),
    ...rest,
  });
  return { outcome, events };
}

const TEACHER = fpSpec();
const MEMORY_TOLD = await residentMiB(Deno.pid) !== null;

Deno.test("--timeout ends a run with its checkpoint as timeout, and it goes on from there the next time", () =>
  withFolder(async (out) => {
    const student = studentSpec("lsq", TEACHER);
    const limits = { timeoutMs: 4000, memoryMiB: null };
    const { outcome } = await pool([TEACHER, student], { out, behaviours: ["fp=slow"], limits, retries: 3 });
    assert.deepEqual(outcome.records.map(({ status }) => status), ["timeout", "failed"]);
    const [record] = outcome.records;
    assert.equal(
      record!.reason,
      "It took longer than 0.0667 minutes: give more with --timeout and run the same command again to go on from its " +
        "checkpoint",
    );
    assert.match(record!.log!.at(-1)!, /Stopped as asked/);
    assert.equal(traceOf(out).filter((line) => line === "start fp").length, 1);
    const again = await pool([TEACHER], { out, behaviours: ["fp=slow"] });
    assert.equal(again.outcome.records[0]!.status, "done");
    assert.ok(again.outcome.records[0]!.metrics!.firstStep! > 0);
  }));

Deno.test("--timeout of months is waited for, in waits that a timer can take", () => {
  const own = globalThis.setTimeout, waits: { ms: number; call: () => void }[] = [];
  globalThis.setTimeout = ((call: () => void, ms: number) => waits.push({ ms, call })) as unknown as typeof setTimeout;
  try {
    let stopped = false;
    const process = { pid: Deno.pid, stop: () => void (stopped = true), kill: () => {} };
    const month = 2 ** 31 - 1;
    const watch = watchLimits(process, { timeoutMs: 2 * month + 5, memoryMiB: null });
    for (const ms of [month, month, 5]) {
      assert.deepEqual([waits[0]!.ms, stopped, watch.exceeded], [ms, false, null]);
      waits.shift()!.call();
    }
    assert.deepEqual([stopped, watch.exceeded!.status], [true, "timeout"]);
    watch.close();
  } finally {
    globalThis.setTimeout = own;
  }
});

Deno.test("--timeout ends a run that hears nothing after a grace time", () =>
  withFolder(async (out) => {
    const { outcome } = await pool([TEACHER], {
      out,
      behaviours: ["fp=deaf"],
      limits: { timeoutMs: 800, memoryMiB: null },
      graceMs: 200,
    });
    assert.equal(outcome.records[0]!.status, "timeout");
  }));

Deno.test({
  name: "--memory ends a run that takes more, as failed and without a second attempt",
  ignore: !MEMORY_TOLD,
  fn: () =>
    withFolder(async (out) => {
      const { outcome } = await pool([TEACHER, fpSpec({ arm: "thin" })], {
        out,
        behaviours: ["fp=fat"],
        limits: { timeoutMs: null, memoryMiB: 300 },
        retries: 2,
      });
      assert.deepEqual(outcome.records.map(({ status }) => status), ["failed", "done"]);
      const [record] = outcome.records;
      assert.match(
        record!.reason!,
        /^It took \d+ MiB of memory, more than the 300 MiB of --memory: give more and run the same command again to /,
      );
      assert.ok(record!.peakMemoryMiB > 300);
      assert.equal(traceOf(out).filter((line) => line === "start fp").length, 1);
    }),
});

Deno.test("--retries tries again what crashed, not what diverged, and keeps the last lines of the log", () =>
  withFolder(async (out) => {
    const arms = ["flaky", "throw", "segfault", "diverge"];
    const { outcome, events } = await pool(arms.map((arm) => fpSpec({ arm })), {
      out,
      behaviours: arms.map((arm) => `${arm}=${arm}`),
      retries: 1,
    });
    assert.deepEqual(outcome.records.map(({ spec, status }) => [spec.arm, status]), [
      ["flaky", "done"],
      ["throw", "failed"],
      ["segfault", "failed"],
      ["diverge", "diverged"],
    ]);
    const starts = traceOf(out).filter((line) => line.startsWith("start ")).sort();
    assert.deepEqual(
      starts,
      ["diverge", "flaky", "flaky", "segfault", "segfault", "throw", "throw"].map((arm) => `start ${arm}`),
    );
    const retried = events.flatMap((event) => event.type === "retried" ? [[event.run.spec.arm, event.reason]] : []);
    assert.deepEqual(retried.find(([arm]) => arm === "flaky"), ["flaky", "the fake trainer threw once"]);
    assert.match(outcome.records[2]!.reason!, /^The process ended by SIGSEGV and left no record; /);
    assert.ok(outcome.records[2]!.log!.some((line) => line.includes("Engine: a fake engine")));
    assert.ok(outcome.records[3]!.log!.some((line) => line.includes("Ended as diverged: the loss is NaN")));
    assert.equal(outcome.records[0]!.log, undefined);
  }));

Deno.test("--fail-fast stops the others with their checkpoints when one fails, and starts none", () =>
  withFolder(async (out) => {
    const specs = [fpSpec({ arm: "slow" }), fpSpec({ arm: "throw" }), fpSpec({ arm: "next" })];
    const { outcome } = await pool(specs, { out, behaviours: ["slow=slow", "throw=throw"], failFast: true });
    assert.deepEqual(outcome.records.map(({ spec, status }) => [spec.arm, status]), [["throw", "failed"]]);
    assert.deepEqual(outcome.unfinished.map(({ spec }) => spec.arm), ["slow", "next"]);
    assert.ok(Deno.statSync(join(runFolder(out, runId(specs[0]!)), "checkpoint.safetensors")).isFile);
  }));
