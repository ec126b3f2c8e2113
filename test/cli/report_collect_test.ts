/** Which of a run's records is kept; files and measurements: test/cli/report_test.ts, test/cli/measure_test.ts. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { report } from "../../src/cli/report.ts";
import { networkSha256, writeCheckpoint } from "../../src/checkpoint/checkpoint.ts";
import { type RunRecord, sealed } from "../../src/record/record.ts";
import { checkpointFile, openRun, runFolder, writeRecord } from "../../src/store/store.ts";
import { doneRecord } from "../support/fakes/fake_trainer.ts";
import { fpSpec, withFolder } from "../support/fakes/specs.ts";
import { PAGE, record } from "../report/fixtures.ts";

/** A folder with these records, collected; gives what the command printed of the records. */
async function collect(folder: string, items: readonly RunRecord[]): Promise<string[]> {
  const bench = join(folder, "bench"), records = join(folder, "records");
  for (const item of items) {
    openRun(bench, item.spec);
    writeRecord(bench, item);
  }
  let printed = "";
  const code = await report(["--collect", bench, "--records", records, "--out", folder], {
    pages: [PAGE],
    deviations: {},
    stdout: (text) => void (printed += text),
    stderr: () => {},
  });
  assert.equal(code, 0);
  return printed.split("\n").filter((line) => /^(Added|Left out|Replaced)/.test(line));
}

function name({ id, spec }: RunRecord): string {
  return `${id} (${spec.arm} resnet18 W2A2 seed ${spec.seed})`;
}

const DONE = record({ arm: "good", top1Percent: 81 }), FAILED = record({ arm: "good", seed: 1, top1Percent: null });

Deno.test("report --collect never replaces a done record by one that is not, and tells every replacement", () =>
  withFolder(async (folder) => {
    assert.match((await collect(folder, [DONE, FAILED])).join(), /^Added 2 runs of [^,]*$/);
    const timeout = record({ arm: "good", top1Percent: null, status: "timeout", reason: "too slow" });
    const again = record({ arm: "good", seed: 1, top1Percent: 79 });
    const [added, ...told] = (await collect(folder, [timeout, again])).sort();
    assert.match(added!, /^Added 1 run of /);
    assert.deepEqual(told, [
      `Left out ${name(timeout)}, timeout: too slow; the record that is there stays, done, 81.00 % top-1, 2 min`,
      `Replaced ${name(again)}, failed: the process was killed, by done, 79.00 % top-1, 2 min`,
    ]);
    const path = join(folder, "records", "paper.jsonl");
    const kept = Deno.readTextFileSync(path).trim().split("\n").map((line) => JSON.parse(line));
    assert.deepEqual(kept.map(({ metrics }) => metrics.top1Percent).sort(), [79, 81]);
    assert.throws(() => Deno.statSync(join(folder, "records", "replaced")), Deno.errors.NotFound);
    // what is there already replaces nothing
    assert.equal((await collect(folder, [])).filter((line) => line.startsWith("Replaced")).length, 0);
  }));

Deno.test("report --collect never replaces a diverged record by a failure, and keeps one that a done run replaces", () =>
  withFolder(async (folder) => {
    const diverged = record({ arm: "good", top1Percent: null, status: "diverged", reason: "the loss is NaN" });
    await collect(folder, [diverged]);
    const failed = record({ arm: "good", top1Percent: null, reason: "the process was killed" });
    assert.match(
      (await collect(folder, [failed])).join("\n"),
      /^Left out .*; the record that is there stays, diverged: /m,
    );
    const done = { ...record({ arm: "good", top1Percent: 81 }), startedAt: "2026-11-30T00:00:00.000Z" };
    assert.match((await collect(folder, [done])).join("\n"), /^Replaced .*, diverged: .*, by done, /m);
    const kept = JSON.parse(Deno.readTextFileSync(join(folder, "records", "replaced", "paper.jsonl")));
    assert.equal(kept.status, "diverged");
  }));

/** A bench folder with a trained run and its checkpoint; gives what `report --collect` of it printed on stderr. */
async function withTrained(
  body: (place: {
    readonly bench: string;
    readonly records: string;
    readonly trained: RunRecord;
    readonly collectIt: () => Promise<{ code: number; said: string }>;
  }) => Promise<void>,
): Promise<void> {
  await withFolder(async (folder) => {
    const bench = join(folder, "bench"), records = join(folder, "records"), done = doneRecord(fpSpec());
    openRun(bench, done.spec);
    const tensors = { "params/w": { shape: [1], values: Float32Array.of(1) } };
    const position = {
      ...{ runId: done.id, step: 2, steps: 2, sums: {}, curve: done.curve, trainSeconds: 1 },
      dataSha256: done.dataSha256!,
    };
    await writeCheckpoint(checkpointFile(bench, done.id), { tensors, position });
    const trained = writeRecord(bench, { ...done, networkSha256: networkSha256(tensors) });
    const collectIt = async () => {
      let said = "";
      const code = await report(["--collect", bench, "--records", records, "--out", folder], {
        pages: [PAGE],
        deviations: {},
        stdout: () => {},
        stderr: (text) => void (said += text),
      });
      return { code, said };
    };
    await body({ bench, records, trained, collectIt });
  });
}

const CONTRADICTIONS: Readonly<Record<string, (record: RunRecord) => RunRecord>> = {
  "another accuracy": (record) => ({
    ...record,
    metrics: { ...record.metrics, top1Percent: 99 },
    curve: record.curve.map((epoch) => ({ ...epoch, testTop1Percent: 99 })),
  }),
  "other data": (record) => ({ ...record, dataSha256: "d".repeat(64) }),
  "another network": (record) => ({ ...record, networkSha256: "e".repeat(64) }),
  "another loss": (record) => ({ ...record, curve: record.curve.map((epoch) => ({ ...epoch, trainLoss: 0.5 })) }),
};

for (const [name, change] of Object.entries(CONTRADICTIONS)) {
  Deno.test(`report --collect refuses a record of ${name} than the checkpoint beside it, and keeps the records`, () =>
    withTrained(async ({ bench, records, trained, collectIt }) => {
      assert.equal((await collectIt()).code, 0);
      const path = join(records, "smoke.jsonl"), before = Deno.readTextFileSync(path);
      writeRecord(bench, change(trained));
      const { code, said } = await collectIt();
      assert.equal(code, 2);
      assert.match(
        said,
        /^Cannot collect run [0-9a-f]{16} as the checkpoint ".*" is of another training of that run: /,
      );
      assert.equal(Deno.readTextFileSync(path), before);
      assert.deepEqual([...Deno.readDirSync(records)].map(({ name }) => name), ["smoke.jsonl"]);
    }));
}

Deno.test("report --collect refuses a record with an empty curve, and leaves the good one where it is", () =>
  withTrained(async ({ bench, records, trained, collectIt }) => {
    assert.equal((await collectIt()).code, 0);
    const path = join(records, "smoke.jsonl"), before = Deno.readTextFileSync(path);
    const bad = { ...trained, curve: [], startedAt: "2026-12-02T00:00:00.000Z" };
    Deno.writeTextFileSync(join(runFolder(bench, trained.id), "record.json"), JSON.stringify(sealed(bad)));
    const { code, said } = await collectIt();
    assert.equal(code, 2);
    assert.match(said, /a done run must have epochs 1 to 1, each once and in order: current epochs are none/);
    assert.equal(Deno.readTextFileSync(path), before);
  }));

Deno.test("report --collect passes over stray files in the folder of runs", () =>
  withTrained(async ({ bench, collectIt }) => {
    Deno.mkdirSync(join(bench, "runs", "notes"));
    for (const name of [".DS_Store", "probe.1.2.tmp"]) Deno.writeTextFileSync(join(bench, "runs", name), "");
    assert.deepEqual(await collectIt(), { code: 0, said: "" });
  }));
