import assert from "node:assert/strict";
import { repeat, type RepeatServices } from "../../src/cli/repeat.ts";
import { childCommand, committedRecords } from "../../src/cli/services.ts";
import { InputError } from "../../src/errors.ts";
import { startChild } from "../../src/pool/process.ts";
import type { RunRecord } from "../../src/record/record.ts";
import { runId, type RunSpec } from "../../src/record/spec.ts";
import { readRecord } from "../../src/store/store.ts";
import { tinySpec } from "../support/runs.ts";
import { withFolder } from "../support/fakes/specs.ts";

const dataset = { name: "synthetic", trainExamples: 32, heldOut: 0, testExamples: 20, evaluateOn: "test" as const };
const FP = tinySpec("fp", { dataset });
const LSQ = tinySpec("qat", { dataset, teacher: runId(FP) });

async function train(out: string, spec: RunSpec): Promise<RunRecord> {
  const run = { id: runId(spec), spec }, command = await childCommand({ out, engine: "wasm" });
  await startChild(run, { out, command, lock: null, onMessage() {} }).ended;
  return readRecord(out, run.id)!;
}

async function call(
  args: readonly string[],
  records: readonly RunRecord[] = [],
  services: Partial<RepeatServices> = {},
) {
  let stdout = "", stderr = "";
  const code = await repeat(args, {
    stdout: (text) => void (stdout += text),
    stderr: (text) => void (stderr += text),
    records: () => Promise.resolve(records),
    ...services,
  });
  return { code, stdout, stderr };
}

Deno.test("repeat finds the network that a committed run started from, whichever engine trained it", async () => {
  const records = await committedRecords(), networks = ["networks", "teachers"].map((name) => `reports/${name}/runs`);
  const present = new Set(networks.flatMap((path) => [...Deno.readDirSync(path)].map(({ name }) => name)));
  for (const engine of ["onednn", "tensorflow"]) {
    const student = records.find(({ spec }) => spec.engine === engine && spec.teacher && present.has(spec.teacher))!;
    const { stderr } = await call([student.id], records, {
      prepareDataset: () => Promise.resolve(),
      command: () => Promise.reject(new InputError("Stopped behind the network")),
    });
    assert.equal(stderr, "Stopped behind the network\n", engine);
  }
});

Deno.test("repeat trains a run again: the same digits and network, or the first epoch that is not", () =>
  withFolder(async (out) => {
    const fp = await train(out, FP), lsq = await train(out, LSQ);

    const whole = await call([lsq.id.slice(0, 10), "--epochs", "9", "--out", out, "--teachers", out]);
    assert.equal(whole.code, 0, whole.stderr);
    assert.match(whole.stdout, /^Recorded: qat resnet8 W4A4 seed 3, run \w{16}, engine wasm on /);
    assert.match(whole.stdout, /The same to the last digit: 2 of 2 epochs, and the network at the end/);

    const [first, second] = fp.curve, testLoss = second!.testLoss * (1 + 1e-15);
    const altered = { ...fp, curve: [first!, { ...second!, testLoss }] };
    const one = await call([fp.id], [altered]);
    assert.deepEqual([one.code, one.stdout.split("\n").at(-2)], [0, "The same to the last digit: 1 of 2 epochs"]);
    const other = await call([fp.id.toUpperCase(), "--epochs", "2"], [altered]);
    assert.equal(other.code, 1);
    assert.ok(other.stdout.includes(`${second!.testLoss}, recorded ${testLoss}`), other.stdout);
    assert.match(other.stdout, /Not the same: epoch 2 differs/);

    const refusals: [string[], RunRecord[], RegExp][] = [
      [
        ["ffff"],
        [fp],
        /Cannot find run "ffff" in reports\/records as no id begins so: see `reports\/\*\.md`\n$/,
      ],
      [
        ["ffff", "--out", out],
        [],
        /Cannot find run "ffff" in .* as no id begins so: see `deno task runs list --out DIR`\n$/,
      ],
      [[""], [fp], /Cannot use run "" as it must be the first digits of an id/],
      [["ffff", "--out", `${out}/none`], [], /as there is no such folder: give the --out folder of/],
      [[fp.id.slice(0, 1)], [fp, { ...fp, id: `${fp.id.slice(0, 15)}x` }], /as 2 ids begin so: give more digits of/],
      [[fp.id], [{ ...fp, curve: [] }], /its record has no epoch/],
      [[fp.id], [{ ...fp, spec: { ...fp.spec, seed: 4 } }], /of a training that this version cannot do/],
      [[lsq.id, "--teachers", `${out}/none`], [lsq], /holds no runs/],
      [[lsq.id, "--teachers", out], [{ ...lsq, teacherSha256: "0".repeat(64) }], /started from a network of SHA-256 0/],
    ];
    for (const [args, records, message] of refusals) {
      const { code, stderr } = await call(args, records);
      assert.deepEqual([code, message.test(stderr)], [2, true], stderr);
    }
  }));
