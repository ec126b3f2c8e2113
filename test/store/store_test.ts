import assert from "node:assert/strict";
import { join } from "node:path";
import { InputError } from "../../src/errors.ts";
import { makeFolder, writeError, writeFileAtomic } from "../../src/store/files.ts";
import { type RunRecord, sealed } from "../../src/record/record.ts";
import { runId } from "../../src/record/spec.ts";
import {
  appendEvent,
  checkOut,
  openRun,
  readableRecords,
  readEvents,
  readRecord,
  runFolder,
  writeRecord,
} from "../../src/store/store.ts";
import { doneRecord, fakeEpoch } from "../support/fakes/fake_trainer.ts";
import { fpSpec, withFolder } from "../support/fakes/specs.ts";

function record(): RunRecord {
  return doneRecord(fpSpec());
}

const ID = runId(fpSpec());

function recordPath(out: string): string {
  return join(runFolder(out, ID), "record.json");
}

Deno.test("readRecord() returns what writeRecord() wrote, and null before", () =>
  withFolder((out) => {
    assert.equal(readRecord(out, ID), null);
    const written = writeRecord(out, record());
    assert.deepEqual(readRecord(out, ID), written);
    assert.deepEqual({ ...written, checksum: undefined }, { ...record(), checksum: undefined });
    assert.deepEqual([...Deno.readDirSync(runFolder(out, ID))].map(({ name }) => name), ["record.json"]);
  }));

Deno.test("readRecord() refuses a record cut at any of its bytes", () =>
  withFolder((out) => {
    writeRecord(out, record());
    const path = recordPath(out);
    const text = Deno.readTextFileSync(path).trimEnd();
    for (let length = 0; length < text.length; length += 7) {
      Deno.writeTextFileSync(path, text.slice(0, length));
      assert.throws(() => readRecord(out, ID), {
        name: "InputError",
        message: `Cannot read the record in ${path} as it is cut in half or no JSON: delete the folder ` +
          `${runFolder(out, ID)} to run it again, or restore ${path}`,
      });
    }
  }));

Deno.test("readRecord() refuses a record of another schema with the remedy", () =>
  withFolder((out) => {
    writeRecord(out, record());
    const path = recordPath(out);
    Deno.writeTextFileSync(path, JSON.stringify({ ...record(), schema: 3 }));
    assert.throws(() => readRecord(out, ID), {
      name: "InputError",
      message:
        `Cannot read the record in ${path} as its schema must be 1 or 2: current value is 3; delete the folder ` +
        `${runFolder(out, ID)} to run it again, or restore ${path}`,
    });
  }));

Deno.test("readRecord() refuses the record of another run in its folder", () =>
  withFolder((out) => {
    const spec = fpSpec({ seed: 9 });
    Deno.mkdirSync(runFolder(out, ID), { recursive: true });
    Deno.writeTextFileSync(recordPath(out), JSON.stringify(sealed(doneRecord(spec))));
    assert.throws(() => readRecord(out, ID), /as it is of another run, [0-9a-f]{16}: delete the folder/);
  }));

Deno.test("readableRecords() leaves broken records out", () =>
  withFolder((out) => {
    assert.deepEqual(readableRecords(out), []);
    writeRecord(out, record());
    Deno.mkdirSync(join(out, "runs", "broken"));
    Deno.writeTextFileSync(join(out, "runs", "broken", "record.json"), "{");
    assert.deepEqual(readableRecords(out).map(({ id }) => id), [ID]);
  }));

Deno.test("openRun() takes an old record away and keeps the checkpoint", () =>
  withFolder((out) => {
    const { networkSha256: _, ...rest } = record();
    writeRecord(out, { ...rest, status: "failed", metrics: null, reason: "x" });
    Deno.writeTextFileSync(join(runFolder(out, ID), "checkpoint.safetensors"), "weights");
    openRun(out, fpSpec());
    assert.deepEqual([...Deno.readDirSync(runFolder(out, ID))].map(({ name }) => name).sort(), [
      "checkpoint.safetensors",
      "spec.json",
    ]);
  }));

Deno.test("readEvents() keeps the later of an epoch told twice and drops a cut line", () =>
  withFolder((out) => {
    openRun(out, fpSpec());
    appendEvent(out, ID, fakeEpoch(1));
    appendEvent(out, ID, fakeEpoch(2));
    appendEvent(out, ID, { ...fakeEpoch(2), trainLoss: 7 });
    Deno.writeTextFileSync(join(runFolder(out, ID), "events.jsonl"), '{"epoch":3,"lear', { append: true });
    assert.deepEqual(readEvents(out, ID).map(({ epoch, trainLoss }) => [epoch, trainLoss]), [[1, 1], [2, 7]]);
  }));

Deno.test("checkOut() names a folder that cannot be made", () => {
  assert.throws(() => checkOut("/dev/null/out"), {
    name: "InputError",
    message: "Cannot write /dev/null/out/runs as a file stands where a folder is needed, or a folder where a file is " +
      "needed: choose another place",
  });
});

Deno.test("makeFolder() says that a folder above it cannot be made", { ignore: Deno.build.os !== "linux" }, () => {
  assert.throws(() => makeFolder("/proc/none/below"), {
    name: "InputError",
    message: "Cannot write /proc/none/below as a folder above it is not there and cannot be made: choose another place",
  });
});

Deno.test("writeError() says that the disk is full", () => {
  let thrown: unknown;
  try {
    Deno.writeTextFileSync("/dev/full", "x");
  } catch (error) {
    thrown = error;
  }
  assert.equal(
    writeError(thrown, "/data/record.json").message,
    "Cannot write /data/record.json as the disk is full: free some space and run the same command again, or choose " +
      "another place",
  );
});

Deno.test("writeFileAtomic() leaves the old file intact when it fails", () =>
  withFolder((folder) => {
    const target = join(folder, "target");
    Deno.mkdirSync(join(target, "full"), { recursive: true });
    assert.throws(() => writeFileAtomic(target, "new"), InputError);
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["target"]);
    assert.deepEqual([...Deno.readDirSync(target)].map(({ name }) => name), ["full"]);
  }));

Deno.test("readRecord() and readEvents() pass over a byte order mark", () =>
  withFolder((out) => {
    openRun(out, fpSpec());
    const written = writeRecord(out, record());
    Deno.writeTextFileSync(recordPath(out), `\ufeff${JSON.stringify(written)}`);
    assert.deepEqual(readRecord(out, ID), written);
    Deno.writeTextFileSync(join(runFolder(out, ID), "events.jsonl"), `\ufeff${JSON.stringify(fakeEpoch(1))}\n`);
    assert.deepEqual(readEvents(out, ID), [fakeEpoch(1)]);
  }));
