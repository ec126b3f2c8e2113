import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { statePlan } from "../../src/plan/plan.ts";
import { type PoolOptions, type PoolOutcome, runPool } from "../../src/pool/pool.ts";
import { runId, type RunSpec } from "../../src/record/spec.ts";
import { logFile, readRecord, runFolder } from "../../src/store/store.ts";
import { fakeCommand, fpSpec, studentSpec, traceOf, withFolder } from "../support/fakes/specs.ts";

const TEACHER = fpSpec();
const LSQ = studentSpec("lsq", TEACHER);
const OTHER = studentSpec("other", TEACHER);

function pool(
  specs: readonly RunSpec[],
  options: { out: string; behaviours?: string[] } & Partial<PoolOptions>,
): Promise<PoolOutcome> {
  const { out, behaviours = [], ...rest } = options;
  return runPool(statePlan(specs, out), { out, jobs: 2, command: fakeCommand(behaviours), ...rest });
}

function statuses({ records }: PoolOutcome): string[] {
  return records.map(({ spec, status }) => `${spec.arm} ${status}`);
}

Deno.test("runPool() runs teachers first, records what ran, and a second call runs nothing", () =>
  withFolder(async (out) => {
    const outcome = await pool([OTHER, LSQ, TEACHER], { out });
    assert.deepEqual(statuses(outcome), ["fp done", "other done", "lsq done"]);
    assert.deepEqual(traceOf(out).slice(0, 2), ["start fp", "end fp"]);
    assert.equal(traceOf(out).length, 6);
    const record = readRecord(out, runId(LSQ))!;
    assert.equal(record.environment.versions.fake, "1.0");
    assert.equal(record.dataSha256, "f".repeat(64));
    assert.ok(record.peakMemoryMiB > 10 && record.cpuSeconds > 0 && record.wallSeconds > 0);
    assert.match(Deno.readTextFileSync(logFile(out, runId(LSQ))), /Engine: a fake engine/);

    const again = await pool([OTHER, LSQ, TEACHER], { out });
    assert.deepEqual(again.records, outcome.records);
    assert.equal(traceOf(out).length, 6);
  }));

Deno.test("runPool() turns a crash, a throw, a signal and a silent end into failed rows and goes on", () =>
  withFolder(async (out) => {
    const arms = ["crash", "throw", "outOfMemory", "silent", "diverge", "fine"];
    const specs = [TEACHER, ...arms.map((arm) => studentSpec(arm, TEACHER))];
    const behaviours = arms.filter((arm) => arm !== "fine").map((arm) => `${arm}=${arm}`);
    const outcome = await pool(specs, { out, behaviours });
    const reasons = Object.fromEntries(outcome.records.map(({ spec, status, reason }) => [spec.arm, [status, reason]]));
    assert.deepEqual(reasons.fine, ["done", null]);
    assert.deepEqual(reasons.diverge, ["diverged", "the loss is NaN"]);
    assert.deepEqual(reasons.throw, ["failed", "the fake trainer threw"]);
    assert.equal(reasons.crash![0], "failed");
    assert.match(
      reasons.crash![1]!,
      /^The process ended with code 3 and left no record; last lines of its log: .*Engine: a fake engine$/,
    );
    assert.match(reasons.outOfMemory![1]!, /^The process ended by SIGKILL and left no record; /);
    assert.match(reasons.silent![1]!, /^The process ended with code 0 and left no record; /);
    const crashed = readRecord(out, runId(specs[1]!))!;
    assert.deepEqual(crashed.curve.map(({ epoch }) => epoch), [1]);
    assert.match(Deno.readTextFileSync(logFile(out, runId(specs[2]!))), /fake_trainer\.ts/);
  }));

Deno.test("runPool() fails the students of a failed teacher with its reason, without starting them", () =>
  withFolder(async (out) => {
    const outcome = await pool([TEACHER, LSQ, fpSpec({ seed: 1, arm: "fine" })], { out, behaviours: ["fp=throw"] });
    assert.deepEqual(statuses(outcome), ["fp failed", "fine done", "lsq failed"]);
    assert.equal(
      outcome.records[2]!.reason,
      `Its teacher ${runId(TEACHER)} (fp resnet8 seed 0) ended as failed: the fake trainer threw`,
    );
    assert.ok(!traceOf(out).includes("start lsq"));
  }));

Deno.test("runPool() runs what failed again and keeps what is done or diverged", () =>
  withFolder(async (out) => {
    await pool([TEACHER, LSQ, OTHER], { out, behaviours: ["lsq=throw", "other=diverge"] });
    const outcome = await pool([TEACHER, LSQ, OTHER], { out });
    assert.deepEqual(statuses(outcome), ["fp done", "lsq done", "other diverged"]);
    assert.equal(traceOf(out).filter((line) => line === "start fp").length, 1);
    assert.equal(traceOf(out).filter((line) => line === "start other").length, 1);
    assert.equal(traceOf(out).filter((line) => line === "start lsq").length, 2);
  }));

Deno.test("runPool() fails a student whose teacher's checkpoint is missing, with the remedy", () =>
  withFolder(async (out) => {
    await pool([TEACHER], { out });
    const checkpoint = join(runFolder(out, runId(TEACHER)), "checkpoint.safetensors");
    Deno.removeSync(checkpoint);
    const outcome = await pool([TEACHER, LSQ], { out });
    assert.equal(
      outcome.records[1]!.reason,
      `Cannot start lsq resnet8 W2A4 seed 0 as its teacher's checkpoint is missing: restore ${checkpoint}, or delete ` +
        `the folder ${runFolder(out, runId(TEACHER))} to train the teacher again`,
    );
  }));

for (const jobs of [1, 3]) {
  Deno.test(`runPool() runs at most ${jobs} at once`, () =>
    withFolder(async (out) => {
      const specs = [0, 1, 2, 3, 4].map((seed) => fpSpec({ seed }));
      let running = 0;
      let most = 0;
      await pool(specs, {
        out,
        jobs,
        onEvent: ({ type }) => {
          if (type === "started") running += 1;
          if (type === "ended") running -= 1;
          most = Math.max(most, running);
        },
      });
      assert.equal(most, jobs);
      assert.equal(running, 0);
    }));
}

Deno.test("runPool() stops runs at a checkpoint, and the next call goes on from it", () =>
  withFolder(async (out) => {
    const stop = new AbortController();
    const kill = new AbortController();
    const interrupts = { stop: stop.signal, kill: kill.signal };
    const outcome = await pool([TEACHER, LSQ], {
      out,
      behaviours: ["fp=slow"],
      interrupts,
      onEvent: (event) => {
        if (event.type === "message" && event.message.type === "progress") setTimeout(() => stop.abort(), 60);
      },
    });
    assert.deepEqual(outcome.records, []);
    assert.deepEqual(outcome.unfinished.map(({ spec }) => spec.arm), ["fp", "lsq"]);
    const resumed = await pool([TEACHER, LSQ], { out, behaviours: ["fp=slow"] });
    assert.deepEqual(statuses(resumed), ["fp done", "lsq done"]);
    assert.ok(resumed.records[0]!.metrics!.firstStep! > 0);
  }));

Deno.test("runPool() ends with an InputError and no process left when a run's folder cannot be written", () =>
  withFolder(async (out) => {
    const blocked = fpSpec({ seed: 1 });
    Deno.mkdirSync(join(out, "runs"), { recursive: true });
    Deno.writeTextFileSync(runFolder(out, runId(blocked)), "a file");
    const done = fpSpec({ seed: 2 });
    await pool([done], { out });
    await assert.rejects(pool([done, TEACHER, blocked], { out, behaviours: ["fp=slow"] }), {
      name: "InputError",
      message: /^Cannot write .* as .*: choose another place/,
    });
    assert.equal(readRecord(out, runId(done))!.status, "done");
  }));

/** A pool as its own process, in which full-precision runs take 20 s. */
function startPool(specs: string, out: string): Deno.ChildProcess {
  const main = fileURLToPath(new URL("../support/fakes/pool_main.ts", import.meta.url));
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", "--no-check", main, specs, out, "fp=slow"],
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/** Starts a pool, lets `act` at it once its runs are under way, and waits for its end. */
async function interrupted(
  out: string,
  act: (process: Deno.ChildProcess) => void,
): Promise<{ code: number; outcome: { records: string[]; unfinished: number; killed: boolean } }> {
  const specs = join(out, "specs.json");
  Deno.writeTextFileSync(specs, JSON.stringify([TEACHER, fpSpec({ seed: 1 }), LSQ]));
  const child = startPool(specs, out);
  let text = "";
  let acted = false;
  const decoder = new TextDecoder();
  for await (const chunk of child.stderr) {
    text += decoder.decode(chunk);
    if (!acted && text.split("message fp").length > 3) {
      acted = true;
      act(child);
    }
  }
  const stdout = await new Response(child.stdout).text();
  return { code: (await child.status).code, outcome: JSON.parse(stdout) };
}

Deno.test("Ctrl-C once stops the runs with their checkpoints", () =>
  withFolder(async (out) => {
    const { code, outcome } = await interrupted(out, (child) => child.kill("SIGINT"));
    assert.equal(code, 0);
    assert.deepEqual(outcome, { records: [], unfinished: 3, killed: false });
    assert.match(Deno.readTextFileSync(logFile(out, runId(TEACHER))), /Stopped as asked/);
  }));

Deno.test("Ctrl-C twice ends the runs at once", () =>
  withFolder(async (out) => {
    const { outcome } = await interrupted(out, (child) => {
      child.kill("SIGINT");
      setTimeout(() => child.kill("SIGINT"), 2);
    });
    assert.deepEqual([outcome.records, outcome.unfinished], [[], 3]);
  }));

Deno.test("a run whose pool was killed stops by itself and keeps its checkpoint", () =>
  withFolder(async (out) => {
    const specs = join(out, "specs.json");
    Deno.writeTextFileSync(specs, JSON.stringify([TEACHER]));
    const child = startPool(specs, out);
    for await (const chunk of child.stderr) {
      if (!new TextDecoder().decode(chunk).includes("message fp")) continue;
      child.kill("SIGKILL");
      break;
    }
    await child.status;
    for (let tries = 0; tries < 100 && !traceOf(out).includes("end fp"); tries++) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    assert.deepEqual(traceOf(out), ["start fp", "end fp"]);
    const resumed = await pool([TEACHER], { out });
    assert.deepEqual(statuses(resumed), ["fp done"]);
    assert.ok(resumed.records[0]!.metrics!.firstStep! > 0);
  }));
