import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { clean, type Cleanable, cleaningOf } from "../../src/store/clean.ts";
import { readState, sizeMiB } from "../../src/store/folder.ts";
import { runId, type RunSpec } from "../../src/record/spec.ts";
import { openRun, runFolder, runIds, writeRecord } from "../../src/store/store.ts";
import { doneRecord } from "../support/fakes/fake_trainer.ts";
import { lockBefore } from "../support/earlier_boot.ts";
import { fpSpec, studentSpec, withFolder } from "../support/fakes/specs.ts";

const TEACHER = fpSpec(), STUDENT = studentSpec("lsq", TEACHER), LEFT = fpSpec({ seed: 5 });
const MIB = new Uint8Array(2 ** 20);
const KEPT = ["checkpoints/epoch-1.safetensors", "checkpoints/epoch-2.safetensors"],
  MEASURED = "measurements/level_span.json";

/** A run with two kept epochs and a measurement. */
function write(out: string, spec: RunSpec, done: boolean): void {
  const folder = openRun(out, spec);
  for (const name of ["checkpoint.safetensors", ...KEPT, MEASURED]) {
    Deno.mkdirSync(dirname(join(folder, name)), { recursive: true });
    Deno.writeFileSync(join(folder, name), MIB);
  }
  if (done) writeRecord(out, doneRecord(spec));
}

/** Deletes; gives the MiB that were told. */
async function cleaned(out: string, ...kinds: Cleanable[]): Promise<number> {
  const chosen = runIds(out).flatMap((id) => cleaningOf(readState(out, id), new Set(kinds)) ?? []);
  assert.deepEqual(await clean(out, chosen), []);
  return Math.round(chosen.reduce((sum, { bytes }) => sum + bytes, 0) / 2 ** 20);
}

function names(out: string, spec: RunSpec): string[] {
  return readState(out, runId(spec)).files.map(({ name }) => name);
}

Deno.test("kept epochs and measurements are files of a run, and count in its size", () =>
  withFolder((out) => {
    write(out, STUDENT, true);
    const state = readState(out, runId(STUDENT));
    assert.deepEqual(state.files.map(({ name }) => name), [
      "checkpoint.safetensors",
      ...KEPT,
      MEASURED,
      "record.json",
      "spec.json",
    ]);
    assert.equal(Math.round(sizeMiB(state)), 4);
  }));

Deno.test("clean of a whole folder takes kept epochs and measurements with it", () =>
  withFolder(async (out) => {
    write(out, LEFT, false);
    assert.equal(await cleaned(out, "unfinished"), 4);
    assert.throws(() => Deno.statSync(runFolder(out, runId(LEFT))), Deno.errors.NotFound);
  }));

Deno.test("clean finds what an older version left of a run, and no folder without a spec that has more", () =>
  withFolder(async (out) => {
    for (const spec of [LEFT, TEACHER]) write(out, spec, false);
    for (const name of ["spec.json", "checkpoint.safetensors"]) {
      Deno.removeSync(join(runFolder(out, runId(LEFT)), name));
    }
    Deno.removeSync(join(runFolder(out, runId(TEACHER)), "spec.json"));
    assert.equal(await cleaned(out, "unfinished"), 3);
    assert.deepEqual(runIds(out), [runId(TEACHER)]);
  }));

Deno.test("clean of checkpoints takes kept epochs of every run that is over, and leaves a teacher its last", () =>
  withFolder(async (out) => {
    for (const [spec, done] of [[TEACHER, true], [STUDENT, true], [LEFT, false]] as const) write(out, spec, done);
    assert.equal(await cleaned(out, "checkpoints"), 5);
    assert.deepEqual(names(out, TEACHER), ["checkpoint.safetensors", MEASURED, "record.json", "spec.json"]);
    assert.deepEqual(names(out, STUDENT), [MEASURED, "record.json", "spec.json"]);
    assert.deepEqual(names(out, LEFT), ["checkpoint.safetensors", ...KEPT, MEASURED, "spec.json"]);
    assert.throws(() => Deno.statSync(join(runFolder(out, runId(STUDENT)), "checkpoints")), Deno.errors.NotFound);
  }));

Deno.test("clean takes a run whose process ended with an earlier boot, once it gave no sign of life, and no living one", () =>
  withFolder(async (out) => {
    const times = { beatMs: 50, staleMs: 300, lookMs: 20 }, said: string[] = [];
    const [gone, alive] = [LEFT, fpSpec({ seed: 6 })].map((spec) => {
      write(out, spec, false);
      return { id: runId(spec), live: lockBefore(out, runId(spec)) };
    });
    let count = 1;
    const life = setInterval(() => alive!.live(count++), 50);
    const chosen = runIds(out).flatMap((id) => cleaningOf(readState(out, id), new Set(["unfinished"])) ?? []);
    const left = await clean(out, chosen, { times, say: (line) => void said.push(line) });
    clearInterval(life);
    assert.deepEqual([left, runIds(out)], [[alive!.id], [alive!.id]]);
    assert.match(said.join(), new RegExp(`^Looking for up to 1 s if .*${gone!.id}`));
  }));
