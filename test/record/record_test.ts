/** Every rule of a record's validity: a valid record, one change, and the refusal. */
import assert from "node:assert/strict";
import { join, resolve } from "node:path";
import { DATASETS } from "../../datasets/mod.ts";
import { joinEnvironments } from "../../src/record/environment.ts";
import { earlierEnvironmentsOf, parseRunRecord, type RunRecord, sealed } from "../../src/record/record.ts";
import { importedSpec } from "../../src/record/imported_spec.ts";
import { canonicalJson, runId, type RunSpec } from "../../src/record/spec.ts";
import { doneRecord, FAKE_ENVIRONMENT, fakeEpoch } from "../support/fakes/fake_trainer.ts";
import { fpSpec, studentSpec } from "../support/fakes/specs.ts";

const TWO_EPOCHS = fpSpec({ recipe: { ...fpSpec().recipe, epochs: 2 } });

/** A done run of two epochs. */
function done(changes: Partial<RunRecord> = {}): RunRecord {
  return doneRecord(TWO_EPOCHS, {
    curve: [fakeEpoch(1), fakeEpoch(2)],
    metrics: { top1Percent: 42, loss: 1 },
    ...changes,
  });
}

function failed(changes: Partial<RunRecord> = {}): RunRecord {
  const { networkSha256: _, ...rest } = done();
  return { ...rest, status: "failed", metrics: null, reason: "it crashed", curve: [fakeEpoch(1)], ...changes };
}

/** A record before December 2026. */
function old(record: RunRecord): RunRecord {
  const { checksum: _, evaluatedExamples: _e, otherEnvironments: _o, earlierEnvironments: _p, ...rest } = record;
  return { ...rest, schema: 1 };
}

/** A curve whose last epoch has these results, and the metrics that go with it. */
function ending(last: Partial<RunRecord["curve"][number]>): Pick<RunRecord, "curve" | "metrics"> {
  const epoch = { ...fakeEpoch(2), ...last };
  return {
    curve: [fakeEpoch(1), epoch],
    metrics: { top1Percent: epoch.testTop1Percent, loss: epoch.testLoss, ...epoch.metrics },
  };
}

function withSpec(changes: Partial<RunSpec["dataset"]>): Pick<RunRecord, "spec" | "id"> {
  const spec = { ...TWO_EPOCHS, dataset: { ...TWO_EPOCHS.dataset, ...changes } };
  return { spec, id: runId(spec) };
}

/** An imported network, which nothing trained. */
function taken(changes: Partial<RunRecord> = {}): RunRecord {
  const place = { model: "resnet18_imagenet", dataset: "cifar10", engine: "wasm" } as const;
  const spec = importedSpec({ ...place, sha256: "ab".repeat(32), newHead: false });
  return {
    ...doneRecord(spec, { curve: [], metrics: { top1Percent: 42.42, loss: 1 } }),
    evaluatedExamples: 10_000,
    importedFrom: { file: "x.safetensors", names: "torchvision", converted: [] },
    ...changes,
  };
}

const DIRTY = { ...FAKE_ENVIRONMENT, dirty: true };

const VALID: Readonly<Record<string, RunRecord>> = {
  "a done run": done(),
  "a failed run": failed(),
  "a failed run without an epoch": failed({ curve: [] }),
  "a diverged run of which an epoch was lost": failed({ status: "diverged", curve: [fakeEpoch(2)] }),
  "a student": doneRecord(studentSpec("lsq", fpSpec())),
  "a run with a metric of its method": done(ending({ metrics: { taskLoss: -0.5 } })),
  "a run on a part of the test images": done({
    ...withSpec({ testExamples: 3 }),
    evaluatedExamples: 3,
    ...{ curve: [1, 2].map((epoch) => fakeEpoch(epoch, { top1Percent: 100 * 2 / 3 })) },
    metrics: { top1Percent: 100 * 2 / 3, loss: 1 },
  }),
  "an imported network": taken(),
  "a run with dirty code in an earlier process": done({
    environment: DIRTY,
    earlierEnvironments: [FAKE_ENVIRONMENT],
    otherEnvironments: [FAKE_ENVIRONMENT],
  }),
};

for (const [name, record] of Object.entries(VALID)) {
  Deno.test(`parseRunRecord() takes ${name}, new or old`, () => {
    for (const valid of [sealed(record), old(record)]) {
      assert.deepEqual(parseRunRecord(JSON.parse(JSON.stringify(valid)), "a file"), valid);
    }
  });
}

/** A record of a spec that breaks a rule. */
function ofSpec(record: RunRecord, spec: RunSpec): RunRecord {
  return { ...record, spec, id: runId(spec) };
}

const INVALID: Readonly<Record<string, [RunRecord, RegExp]>> = {
  "a run of no epoch": [
    ofSpec(done(), { ...TWO_EPOCHS, recipe: { ...TWO_EPOCHS.recipe, epochs: 0 } }),
    /spec\.recipe\.epochs: must be above 0$/,
  ],
  "an imported network that was trained": [
    ofSpec(taken(), { ...taken().spec, recipe: TWO_EPOCHS.recipe }),
    /must be 0, as nothing is trained/,
  ],
  "an imported network of another protocol": [
    ofSpec(taken(), { ...taken().spec, protocol: "smoke" }),
    /must be there exactly for protocol imported/,
  ],
  "an imported network without its file": [
    taken({ importedFrom: undefined as never }),
    /an imported network, and no run, must have an importedFrom: import it again/,
  ],
  "a run with the file of an imported network": [
    done({ importedFrom: taken().importedFrom! }),
    /an imported network, and no run, must have an importedFrom/,
  ],
  "an imported network whose accuracy no number of images gives": [
    taken({ metrics: { top1Percent: 42.424242, loss: 1 } }),
    /top-1 must be a multiple of 100 \/ 10000: current value is 42\.424242, so import it again/,
  ],
  "a top-1 above 100": [done(ending({ testTop1Percent: 101 })), /curve\.1\.testTop1Percent: Too big/],
  "a top-1 below 0": [done(ending({ testTop1Percent: -3 })), /curve\.1\.testTop1Percent: Too small/],
  "a training top-1 above 100": [done(ending({ trainTop1Percent: 100.5 })), /curve\.1\.trainTop1Percent: Too big/],
  "a top-1 of no whole number of images": [
    done(ending({ testTop1Percent: 42.5 })),
    /top-1 must be a multiple of 100 \/ 100, as so many images are evaluated: current value in epoch 2 is 42\.5/,
  ],
  "a top-1 of no whole number of all test images": [
    done({ ...withSpec({ testExamples: null }), evaluatedExamples: 10_000, ...ending({ testTop1Percent: 42.123 }) }),
    /top-1 must be a multiple of 100 \/ 10000/,
  ],
  "a top-1 of no whole number of held-out images": [
    done({
      ...withSpec({ evaluateOn: "heldOut", heldOut: 50 }),
      evaluatedExamples: 50,
      ...ending({ testTop1Percent: 43 }),
    }),
    /top-1 must be a multiple of 100 \/ 50/,
  ],
  "an empty curve": [done({ curve: [] }), /must have epochs 1 to 2, each once and in order: current epochs are none/],
  "a curve cut where it was best": [
    done({ curve: [fakeEpoch(1)], metrics: { top1Percent: 41, loss: 1 } }),
    /epochs 1 to 2/,
  ],
  "a curve with an epoch twice": [done({ curve: [fakeEpoch(2), fakeEpoch(2)] }), /current epochs are 2, 2/],
  "epochs that fall": [failed({ curve: [fakeEpoch(2), fakeEpoch(1)] }), /its epochs must rise/],
  "a best epoch as the result": [
    done({ metrics: { top1Percent: 41, loss: 1 } }),
    /the last epoch must count: its top1Percent is 41, but its last epoch's is 42/,
  ],
  "another loss than the last epoch's": [
    done({ metrics: { top1Percent: 42, loss: 0.5 } }),
    /its last epoch's are {"loss":1}/,
  ],
  "a metric that no epoch has": [
    done({ metrics: { top1Percent: 42, loss: 1, extra: 1 } }),
    /the last epoch must count/,
  ],
  "a done run without a result": [done({ metrics: null }), /it is done without a top1Percent/],
  "a done run with a reason": [done({ reason: "it crashed" }), /it is done and yet has a reason, "it crashed"/],
  "a failed run with a result": [
    failed({ metrics: { top1Percent: 42, loss: 1 } }),
    /must have a reason and no metrics/,
  ],
  "a failed run without a reason": [failed({ reason: null }), /must have a reason and no metrics/],
  "a failed run with a network": [
    failed({ networkSha256: "a".repeat(64) }),
    /has a networkSha256, but it ended as failed/,
  ],
  "a network of a teacher without a teacher": [done({ teacherSha256: "a".repeat(64) }), /its spec has no teacher/],
  "data with no digest": [done({ dataSha256: "00" }), /dataSha256: must be a SHA-256/],
  "data with a digest in capitals": [done({ dataSha256: "F".repeat(64) }), /dataSha256: must be a SHA-256/],
  "dirty code in an earlier process alone": [
    done({ otherEnvironments: [DIRTY] }),
    /an environment it lists had uncommitted changes, so its own must be dirty too/,
  ],
  "the id of another spec": [done({ id: runId(fpSpec()) }), /but its spec has id/],
};

for (const [name, [record, message]] of Object.entries(INVALID)) {
  Deno.test(`parseRunRecord() refuses ${name}, new or old`, () => {
    assert.throws(() => parseRunRecord(sealed(record), "a file"), message);
    if (record.otherEnvironments === undefined) assert.throws(() => parseRunRecord(old(record), "a file"), message);
  });
}

Deno.test("parseRunRecord() wants of a new record what old ones lack", () => {
  const student = doneRecord(studentSpec("lsq", fpSpec()));
  for (const name of ["networkSha256", "teacherSha256", "evaluatedExamples"] as const) {
    const { [name]: _, ...rest } = student;
    assert.throws(() => parseRunRecord(sealed(rest), "a file"), new RegExp(`of schema 2 must have a ${name}`));
  }
  assert.throws(() => parseRunRecord(sealed({ ...student, dataSha256: null }), "a file"), /must have a dataSha256/);
  assert.throws(() => parseRunRecord(student, "a file"), /records of schema 2, and only they, must have a checksum/);
  const { evaluatedExamples: _, ...claimed } = { ...sealed(student), schema: 1 as const };
  assert.throws(() => parseRunRecord(claimed, "a file"), /records of schema 2, and only they, must have a checksum/);
  const other = sealed({ ...student, evaluatedExamples: 10 });
  assert.throws(() => parseRunRecord(other, "a file"), /evaluated on 10 images, but its spec names 100/);
});

Deno.test("parseRunRecord() refuses a new record with any bit of its text flipped, or reads the same content", () => {
  const record = sealed(done()), bytes = new TextEncoder().encode(JSON.stringify(record));
  let refused = 0;
  for (let bit = 0; bit < bytes.length * 8; bit += 7) {
    bytes[bit >> 3]! ^= 1 << (bit & 7);
    try {
      const read = parseRunRecord(JSON.parse(new TextDecoder().decode(bytes)), "a file");
      assert.equal(canonicalJson(read), canonicalJson(record));
    } catch (error) {
      assert.ok(["InputError", "SyntaxError"].includes((error as Error).name), String(error));
      refused += 1;
    }
    bytes[bit >> 3]! ^= 1 << (bit & 7);
  }
  assert.ok(refused > bytes.length, `${refused}`);
});

Deno.test("parseRunRecord() knows the number of test images of each data set that old records use all of", () => {
  for (const name of ["cifar10", "cifar100", "fashion_mnist"]) {
    const { test } = DATASETS.find((dataset) => dataset.name === name)!.sizes()!;
    const record = (top1Percent: number) =>
      old(done({ ...withSpec({ name, testExamples: null }), ...ending({ testTop1Percent: top1Percent }) }));
    parseRunRecord(record(100 / test), "a file");
    assert.throws(() => parseRunRecord(record(50 / test), "a file"), new RegExp(`a multiple of 100 / ${test},`));
  }
});

Deno.test("every committed record is valid", () => {
  const folder = resolve(import.meta.dirname!, "../../reports/records");
  let count = 0;
  for (const { name } of [...Deno.readDirSync(folder)].filter(({ name }) => name.endsWith(".jsonl"))) {
    for (const line of Deno.readTextFileSync(join(folder, name)).trimEnd().split("\n")) {
      const value = JSON.parse(line);
      assert.deepEqual(parseRunRecord(value, name), value);
      count += 1;
    }
  }
  assert.ok(count > 100, `${count}`);
});

Deno.test("joinEnvironments() parts earlier processes from the teacher's, each once, and marks the run dirty if any was", () => {
  const clean = { ...FAKE_ENVIRONMENT, commit: "a".repeat(40), dirty: false }, later = { ...clean, os: "another" };
  assert.deepEqual(joinEnvironments(clean, [], []), { environment: clean });
  assert.deepEqual(joinEnvironments(clean, [clean], [clean]), { environment: clean });
  assert.deepEqual(joinEnvironments(clean, [], [later]), { environment: clean, otherEnvironments: [later] });
  const third = { ...clean, os: "a third" };
  assert.deepEqual(joinEnvironments(clean, [later, clean, later], [later, third]), {
    environment: clean,
    earlierEnvironments: [later],
    otherEnvironments: [later, third],
  });
  const dirty = { ...later, dirty: true };
  assert.deepEqual(joinEnvironments(clean, [], [dirty]), {
    environment: { ...clean, dirty: true },
    otherEnvironments: [dirty],
  });
});

Deno.test("earlierEnvironmentsOf() takes an older record's only where no teacher's can be among them", () => {
  const other = { ...FAKE_ENVIRONMENT, os: "another" }, student = doneRecord(studentSpec("lsq", fpSpec()));
  assert.deepEqual(earlierEnvironmentsOf(done()), []);
  assert.deepEqual(earlierEnvironmentsOf(done({ otherEnvironments: [other] })), [other]);
  assert.deepEqual(earlierEnvironmentsOf({ ...student, otherEnvironments: [other] }), []);
  assert.deepEqual(
    earlierEnvironmentsOf({ ...student, earlierEnvironments: [other], otherEnvironments: [other, FAKE_ENVIRONMENT] }),
    [other],
  );
});
