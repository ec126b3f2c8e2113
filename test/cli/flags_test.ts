import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { LIMIT_OPTIONS, optionLines, parseJobs, parseLimits, readFlags } from "../../src/cli/flags.ts";
import { PAPERS } from "../../benchmarks/mod.ts";
import { parseOptions } from "../../src/cli/bench_options.ts";
import { parseWorkerFlags } from "../../src/cli/worker_options.ts";

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

Deno.test("--timeout takes up to a million minutes", () => {
  assert.equal(parseLimits(new Map([["timeout", "1000000"]])).timeoutMs, 6e10);
  assert.throws(() => parseLimits(new Map([["timeout", "1000001"]])), { name: "InputError" });
});

Deno.test("--jobs is a whole number from 1 to 1024", () => {
  assert.deepEqual(["1", "1024"].map(parseJobs), [1, 1024]);
  for (const text of ["0", "-1", "1025", "1.5", "x", ""]) {
    assert.throws(() => parseJobs(text), {
      name: "InputError",
      message: `Cannot use --jobs "${text}" as it must be a whole number from 1 to 1024: leave it out for one a core`,
    });
  }
});

/** Commands that begin to work at once, and what each tells of that. */
const COMMANDS = [
  ["src/cli/acceptance_main.ts", "It starts training at once: about an hour and a half"],
  ["src/cli/tune_main.ts", "It starts training at once: about an hour and a half"],
  ["perf/engine_speed/main.ts", "JSON on stdout"],
  ["perf/peers/main.ts", "It starts measuring at once"],
] as const;

async function command(name: string, args: readonly string[]) {
  const main = fileURLToPath(new URL(`../../${name}`, import.meta.url));
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", "--no-check", main, ...args],
  }).output();
  return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
}

for (const [name, told] of COMMANDS) {
  Deno.test(`${name} has a help, and refuses what it does not know in one sentence`, async () => {
    const help = await command(name, ["--help"]);
    assert.deepEqual([help.code, help.stderr], [0, ""]);
    for (const text of [told, "  --help ", "Exit codes: 0 "]) assert.ok(help.stdout.includes(text), help.stdout);
    const { code, stdout, stderr } = await command(name, ["--dry-run"]);
    assert.deepEqual([code, stdout], [2, ""]);
    assert.match(stderr, /^Cannot use option --dry-run as it is not known: choose among --.*, --help\n$/);
  });
}

Deno.test("the fixed runs and the peers refuse a count below 1 in one sentence", async () => {
  assert.deepEqual(await command("src/cli/acceptance_main.ts", ["--jobs", "-1"]), {
    code: 2,
    stdout: "",
    stderr: 'Cannot use --jobs "-1" as it must be a whole number from 1 to 1024: leave it out for one a core\n',
  });
  assert.deepEqual(await command("perf/peers/main.ts", ["--rounds", "-1"]), {
    code: 2,
    stdout: "",
    stderr: "Cannot use --rounds -1 as it must be a whole number from 1 to 100: leave it out for the default\n",
  });
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
