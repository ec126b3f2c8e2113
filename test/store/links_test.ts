/** Links below the output folder lead out of it: none is followed, by no command. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { statePlan } from "../../src/plan/plan.ts";
import { runPool } from "../../src/pool/pool.ts";
import { bucketArtefacts } from "../../src/queue/artefacts.ts";
import { queueName } from "../../src/queue/mod.ts";
import { runId } from "../../src/record/spec.ts";
import { clean, cleaningOf } from "../../src/store/clean.ts";
import { readState } from "../../src/store/folder.ts";
import { openLocks } from "../../src/store/locks.ts";
import {
  appendEvent,
  checkOut,
  keptCheckpoints,
  measurementFile,
  openRun,
  readEvents,
  readRecord,
  runFolder,
  runIds,
  writeRecord,
} from "../../src/store/store.ts";
import { doneRecord, fakeEpoch } from "../support/fakes/fake_trainer.ts";
import { fakeCommand, fpSpec, TEST_LOCK_TIMES, traceOf, withFolder } from "../support/fakes/specs.ts";

const SPEC = fpSpec(), ID = runId(SPEC);
const REFUSED = /^InputError: Cannot use \S+ as it is a link, and only files and folders may be there: delete it/;

/** A folder with a file outside of `out`, which must be the same at the end. */
async function beside(body: (out: string, outside: string) => void | Promise<void>): Promise<void> {
  await withFolder(async (folder) => {
    const out = join(folder, "out"), outside = join(folder, "outside");
    Deno.mkdirSync(out);
    Deno.mkdirSync(outside);
    Deno.writeTextFileSync(join(outside, "log.txt"), "mine\n");
    await body(out, outside);
    assert.deepEqual([...Deno.readDirSync(outside)].map(({ name }) => name), ["log.txt"]);
    assert.equal(Deno.readTextFileSync(join(outside, "log.txt")), "mine\n");
  });
}

for (const where of ["runs", `runs/${ID}`] as const) {
  Deno.test(`a folder ${where.replace(ID, "<id>")} that is a link is not read, written or cleaned`, () =>
    beside((out, outside) => {
      if (where !== "runs") Deno.mkdirSync(join(out, "runs"));
      Deno.symlinkSync(outside, join(out, where));
      for (
        const use of [
          () => openRun(out, SPEC),
          () => readRecord(out, ID),
          () => readEvents(out, ID),
          () => appendEvent(out, ID, fakeEpoch(1)),
          () => writeRecord(out, doneRecord(SPEC)),
          () => measurementFile(out, ID, "level_span"),
          () => runFolder(out, ID),
        ]
      ) assert.throws(use, REFUSED);
      if (where === "runs") return assert.throws(() => checkOut(out), REFUSED);
      const state = readState(out, ID);
      assert.match(state.problem!, /is a link/);
      assert.deepEqual(state.files, []);
      for (const kind of ["unfinished", "failed", "checkpoints", "temporary"] as const) {
        assert.equal(cleaningOf(state, new Set([kind])), null);
      }
      const old = { ...state, files: [{ name: "log.txt", bytes: 5 }] };
      return assert.rejects(clean(out, [{ state: old, names: null, bytes: 5 }]), REFUSED);
    }));
}

for (const name of ["log.txt", "record.json", "spec.json", "events.jsonl", "checkpoint.safetensors", "checkpoints"]) {
  Deno.test(`a run with a link ${name} is not started, and nothing is written through it`, () =>
    beside(async (out, outside) => {
      Deno.mkdirSync(runFolder(out, ID), { recursive: true });
      Deno.symlinkSync(name === "checkpoints" ? outside : join(outside, "log.txt"), join(runFolder(out, ID), name));
      const pool = () =>
        runPool({ runs: [{ id: ID, spec: SPEC }], finished: new Map(), todo: [{ id: ID, spec: SPEC }] }, {
          out,
          jobs: 1,
          command: fakeCommand(),
          lockTimes: TEST_LOCK_TIMES,
        });
      await assert.rejects(pool, REFUSED);
      assert.deepEqual(traceOf(out), []);
      if (name === "checkpoints") assert.throws(() => keptCheckpoints(out, ID), REFUSED);
      if (name === "record.json") assert.throws(() => statePlan([SPEC], out), REFUSED);
    }));
}

Deno.test("a link that is planted while a run goes on is not followed by its process", () =>
  beside((out, outside) => {
    openRun(out, SPEC);
    Deno.symlinkSync(join(outside, "log.txt"), join(runFolder(out, ID), "events.jsonl"));
    assert.throws(() => appendEvent(out, ID, fakeEpoch(1)), REFUSED);
    Deno.symlinkSync(outside, join(runFolder(out, ID), "measurements"));
    assert.throws(() => measurementFile(out, ID, "log"), REFUSED);
  }));

Deno.test("a link schedulers, lock.json or queue_id is refused", () =>
  beside(async (out, outside) => {
    Deno.symlinkSync(outside, join(out, "schedulers"));
    assert.throws(() => openLocks(out), REFUSED);
    Deno.removeSync(join(out, "schedulers"));
    Deno.symlinkSync(join(outside, "log.txt"), join(out, "queue_id"));
    await assert.rejects(queueName(out, "wasm"), REFUSED);
    const locks = openLocks(out, { times: TEST_LOCK_TIMES });
    try {
      Deno.mkdirSync(runFolder(out, ID), { recursive: true });
      Deno.symlinkSync(join(outside, "log.txt"), join(runFolder(out, ID), "lock.json"));
      assert.throws(() => locks.take(ID), REFUSED);
    } finally {
      locks.close();
    }
  }));

Deno.test("a file that comes from a bucket is not written through a link", () =>
  beside(async (out, outside) => {
    Deno.mkdirSync(join(out, "runs"), { recursive: true });
    Deno.symlinkSync(outside, join(out, "runs", ID));
    const artefacts = bucketArtefacts(out, {
      check: () => Promise.resolve(),
      get: () => Promise.resolve(new Uint8Array(1)),
      put: () => Promise.resolve(),
      remove: () => Promise.resolve(),
    });
    await assert.rejects(artefacts.pull([ID]), REFUSED);
    await assert.rejects(artefacts.push(ID), REFUSED);
  }));

Deno.test("a pipe where a file belongs is refused, not waited for", () =>
  withFolder(async (out) => {
    openRun(out, SPEC);
    const path = join(runFolder(out, ID), "record.json");
    assert.ok((await new Deno.Command("mkfifo", { args: [path] }).output()).success);
    assert.throws(
      () => readRecord(out, ID),
      /Cannot use \S+ as it is no regular file, and only files and folders may be there/,
    );
  }));

Deno.test("other names in the folder of runs are passed over", () =>
  withFolder((out) => {
    openRun(out, SPEC);
    Deno.mkdirSync(join(out, "runs", "notes"));
    for (const name of [".DS_Store", "probe.123.abcd.tmp", ID.toUpperCase()]) {
      Deno.writeTextFileSync(join(out, "runs", name), "");
    }
    assert.deepEqual(runIds(out), [ID]);
  }));
