import assert from "node:assert/strict";
import { join } from "node:path";
import { runChild } from "../../src/pool/child.ts";
import { parseChildMessage } from "../../src/pool/process.ts";
import { runId } from "../../src/record/spec.ts";
import { RUN_LOCK } from "../../src/pool/environment.ts";
import { openLocks } from "../../src/store/locks.ts";
import { openRun, readRecord, runFolder, specFile, writeRecord } from "../../src/store/store.ts";
import { LostRunError, type TrainRequest } from "../../src/record/trainer.ts";
import {
  doneRecord,
  FAKE_DATASET,
  FAKE_ENGINE,
  FAKE_ENVIRONMENT,
  fakeEpoch,
  fakeTrain,
} from "../support/fakes/fake_trainer.ts";
import { fpSpec, studentSpec, TEST_LOCK_TIMES, withFolder } from "../support/fakes/specs.ts";

const ID = runId(fpSpec());

async function child(
  flags: { spec?: string; out?: string },
  train = (request: TrainRequest) => fakeTrain(request, "done"),
): Promise<{ code: number; messages: unknown[] }> {
  const messages: unknown[] = [];
  const code = await runChild(flags, {
    train,
    openEngine: () => Promise.resolve(FAKE_ENGINE),
    loadDataset: () => Promise.resolve(FAKE_DATASET),
    write: (text) => void messages.push(parseChildMessage(text)),
    log: () => {},
  });
  return { code, messages };
}

Deno.test("runChild() tells progress, epochs and its end, each as a message of the protocol", () =>
  withFolder(async (out) => {
    openRun(out, fpSpec());
    const { code, messages } = await child({ spec: specFile(out, ID), out });
    assert.equal(code, 0);
    assert.deepEqual(messages, [
      { type: "progress", epoch: 1, epochs: 1, step: 0, steps: 3, loss: 1.5, imagesPerSecond: 100 },
      { type: "epoch", epoch: fakeEpoch(1, { top1Percent: 40, metrics: { firstStep: 0 } }) },
      { type: "done", status: "done" },
    ]);
    assert.equal(readRecord(out, ID)!.status, "done");
  }));

Deno.test("runChild() adds what earlier processes spent on the run", () =>
  withFolder(async (out) => {
    openRun(out, fpSpec());
    let told = -1;
    await child({ spec: specFile(out, ID), out }, async (request) => {
      told = request.spent!().wallSeconds;
      return { ...await fakeTrain(request, "done"), spentBefore: { wallSeconds: 1000, cpuSeconds: 5000 } };
    });
    const { wallSeconds, cpuSeconds } = readRecord(out, ID)!;
    assert.ok(told >= 0 && told < 60, `${told}`);
    assert.ok(wallSeconds > 1000 + told && wallSeconds < 1060, `${wallSeconds}`);
    assert.ok(cpuSeconds > 5000 && cpuSeconds < 6000, `${cpuSeconds}`);
  }));

Deno.test("runChild() gives a student its teacher's record, and tells it which folder to delete without a checkpoint", () =>
  withFolder(async (out) => {
    const student = studentSpec("lsq", fpSpec()), path = join(runFolder(out, ID), "checkpoint.safetensors");
    await child({ spec: (openRun(out, fpSpec()), specFile(out, ID)), out });
    openRun(out, student);
    const records: unknown[] = [];
    const run = () =>
      child({ spec: specFile(out, runId(student)), out }, (request) => {
        records.push(request.teacherRecord);
        return fakeTrain(request, "done");
      });
    await run();
    assert.deepEqual(records, [readRecord(out, ID)]);
    Deno.removeSync(path);
    openRun(out, student);
    const { code, messages } = await run();
    assert.deepEqual([code, messages], [2, [{
      type: "failed",
      reason:
        `Cannot start lsq resnet8 W2A4 seed 0 as its teacher's checkpoint is missing: restore ${path}, or delete the ` +
        `folder ${runFolder(out, ID)} to train the teacher again`,
    }]]);
  }));

Deno.test("runChild() records a run with a test loss of NaN as diverged", () =>
  withFolder(async (out) => {
    openRun(out, fpSpec());
    const { code } = await child({ spec: specFile(out, ID), out }, async (request) => ({
      ...await fakeTrain(request, "done"),
      curve: [fakeEpoch(1), { ...fakeEpoch(2), testLoss: NaN }],
    }));
    assert.equal(code, 0);
    const record = readRecord(out, ID)!;
    assert.deepEqual([record.status, record.reason, record.metrics], [
      "diverged",
      "a number of epoch 2 is not finite",
      null,
    ]);
    assert.deepEqual(record.curve, [fakeEpoch(1)]);
  }));

Deno.test("runChild() refuses a spec that is missing, cut or does not fit", () =>
  withFolder(async (out) => {
    const path = join(out, "spec.json");
    const reasons: unknown[] = [];
    for (const text of [null, '{"schema":1', '{"schema":2}']) {
      if (text !== null) Deno.writeTextFileSync(path, text);
      const { code, messages } = await child({ spec: path, out });
      assert.equal(code, 2);
      reasons.push((messages[0] as { reason: string }).reason);
    }
    assert.deepEqual(reasons, [
      `Cannot read the run spec ${path} as there is no such file`,
      `Cannot read the run spec ${path} as it is no JSON: run the same command again`,
      `Cannot read the run spec in ${path} as schema: Invalid input: expected 1`,
    ]);
  }));

Deno.test("parseChildMessage() takes foreign output for text", () => {
  assert.deepEqual(["hello", "{", '{"type":"other"}'].map(parseChildMessage), [null, null, null]);
});

Deno.test("runChild() writes nothing once its run's lock has another nonce, and says so", () =>
  withFolder(async (out) => {
    openRun(out, fpSpec());
    const locks = openLocks(out, { times: TEST_LOCK_TIMES });
    assert.equal(locks.take(ID), "taken");
    Deno.env.set(RUN_LOCK, locks.nonceOf(ID)!);
    try {
      let kept = "";
      const { code, messages } = await child({ spec: specFile(out, ID), out }, async (request) => {
        const outcome = await fakeTrain(request, "done");
        kept = Deno.readTextFileSync(join(runFolder(out, ID), "checkpoint.safetensors"));
        locks.release(ID);
        assert.equal(locks.take(ID), "taken");
        await assert.rejects(fakeTrain(request, "done"), LostRunError);
        return outcome;
      });
      assert.deepEqual([code, messages.at(-1)], [0, { type: "done", status: "stopped" }]);
      assert.equal(readRecord(out, ID), null);
      assert.equal(Deno.readTextFileSync(join(runFolder(out, ID), "checkpoint.safetensors")), kept);
      // A process that starts late deletes no record either.
      const record = writeRecord(out, doneRecord(fpSpec()));
      const late = await child({ spec: specFile(out, ID), out });
      assert.deepEqual(late.messages, [{ type: "done", status: "stopped" }]);
      assert.deepEqual(readRecord(out, ID), record);
    } finally {
      Deno.env.delete(RUN_LOCK);
      locks.close();
    }
  }));

Deno.test("runChild() lists the environments of earlier processes and of the teacher, and is dirty if one was", () =>
  withFolder(async (out) => {
    const student = studentSpec("lsq", fpSpec()), dirty = { ...FAKE_ENVIRONMENT, commit: "c".repeat(40), dirty: true };
    openRun(out, fpSpec());
    let own: unknown;
    await child({ spec: specFile(out, ID), out }, async (request) => {
      own = request.environment;
      return { ...await fakeTrain(request, "done"), environmentsBefore: [dirty, request.environment!] };
    });
    const teacher = readRecord(out, ID)!;
    assert.deepEqual(teacher.environment, { ...own as object, dirty: true });
    assert.deepEqual([teacher.earlierEnvironments, teacher.otherEnvironments], [[dirty], [dirty]]);
    openRun(out, student);
    await child({ spec: specFile(out, runId(student)), out });
    const record = readRecord(out, runId(student))!;
    assert.equal(record.environment.dirty, true);
    assert.deepEqual([record.earlierEnvironments, record.otherEnvironments!.at(-1)], [undefined, dirty]);
  }));
