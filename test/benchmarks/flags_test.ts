import assert from "node:assert/strict";
import { LIMIT_OPTIONS, optionLines, parseLimits, readFlags } from "../../benchmarks/flags.ts";
import { PAPERS } from "../../benchmarks/mod.ts";
import { parseOptions } from "../../benchmarks/options.ts";
import { parseWorkerFlags } from "../../benchmarks/worker/options.ts";

function bench(...args: string[]) {
  return parseOptions(["--paper", "mec", ...args], PAPERS)!;
}

Deno.test("bench has no limits, no retries of its own and no haste unless they are given", () => {
  const { limits, retries, failFast, store } = bench();
  assert.deepEqual({ limits, retries, failFast, store }, {
    limits: { timeoutMs: null, memoryMiB: null },
    retries: null,
    failFast: false,
    store: null,
  });
});

Deno.test("--timeout is in minutes, --memory in MiB, --retries a count", () => {
  const { limits, retries, failFast } = bench("--timeout", "1.5", "--memory", "2000", "--retries", "3", "--fail-fast");
  assert.deepEqual([limits, retries, failFast], [{ timeoutMs: 90_000, memoryMiB: 2000 }, 3, true]);
  const worker = parseWorkerFlags(["--queue", "redis://box", "--out", "x", "--timeout", "2"])!;
  assert.deepEqual([worker.limits, worker.store], [{ timeoutMs: 120_000, memoryMiB: null }, null]);
});

Deno.test("parseLimits() refuses what is no positive number", () => {
  for (const text of ["0", "-1", "x", "1e3", "", "Infinity"]) {
    assert.throws(() => parseLimits(new Map([["timeout", text]])), { name: "InputError" }, text);
  }
});

Deno.test("a bucket goes with a queue only", () => {
  assert.throws(() => bench("--store", "s3://grids"), {
    message: "Cannot use --store without --queue: leave it out, as one machine has its folder",
  });
});

Deno.test("optionLines() has a line an option, and readFlags() knows no other", () => {
  assert.deepEqual(optionLines(LIMIT_OPTIONS).map((line) => line.trim().split(" ")[0]), ["--timeout", "--memory"]);
  assert.throws(() => readFlags(["--jobs", "2"], LIMIT_OPTIONS), {
    message: "Cannot use option --jobs as it is not known: choose among --timeout, --memory",
  });
});
