import assert from "node:assert/strict";
import { networkSha256, previousCheckpoint, writeCheckpoint } from "../../src/checkpoint/checkpoint.ts";
import { openNetwork } from "../../src/checkpoint/open_network.ts";
import type { RunRecord } from "../../src/record/record.ts";
import { doneRecord } from "../support/fakes/fake_trainer.ts";
import { fpSpec, withFolder } from "../support/fakes/specs.ts";

const SPEC = fpSpec();
const tensors = (value: number) => ({ "params/w": { shape: [1], values: Float32Array.of(value) } });
const RECORD = doneRecord(SPEC, { networkSha256: networkSha256(tensors(1)) });

/** A checkpoint of the run with a weight, at a step of two. */
function checkpoint(value: number, step: number) {
  const curve = step === 2 ? RECORD.curve : [];
  return { tensors: tensors(value), position: { runId: RECORD.id, step, steps: 2, sums: {}, curve, trainSeconds: 1 } };
}

function open(path: string, record: RunRecord | null = RECORD) {
  return openNetwork(path, { id: RECORD.id, record, purpose: "Cannot start", instead: "train it again" });
}

for (const [name, newest] of [["an older step", checkpoint(3, 1)], ["another training", checkpoint(4, 2)]] as const) {
  Deno.test(`openNetwork() takes the checkpoint before one of ${name}, if it fits the record, and else refuses`, () =>
    withFolder(async (folder) => {
      const path = `${folder}/checkpoint.safetensors`;
      await writeCheckpoint(path, newest);
      const why = /^InputError: Cannot start as the checkpoint ".*" is of (step 1 of 2|another training of that run): /;
      await assert.rejects(open(path), why);
      await writeCheckpoint(previousCheckpoint(path), checkpoint(5, 2));
      await assert.rejects(open(path), why);
      await writeCheckpoint(previousCheckpoint(path), checkpoint(1, 2));
      assert.deepEqual((await open(path)).tensors, tensors(1));
      // without a record nothing tells that the one before is the network
      if (newest.position.step < 2) await assert.rejects(open(path, null), why);
    }));
}

Deno.test("openNetwork() takes the checkpoint before a damaged or missing one, if it fits the record", () =>
  withFolder(async (folder) => {
    const path = `${folder}/checkpoint.safetensors`;
    await writeCheckpoint(previousCheckpoint(path), checkpoint(1, 2));
    assert.deepEqual((await open(path)).tensors, tensors(1));
    Deno.writeTextFileSync(path, "cut");
    assert.deepEqual((await open(path)).tensors, tensors(1));
    await assert.rejects(open(path, null), /Cannot read the checkpoint/);
  }));

Deno.test("openNetwork() refuses a network of other data, or from another teacher, than its record says", () =>
  withFolder(async (folder) => {
    const digest = "f".repeat(64);
    for (const name of ["dataSha256", "teacherSha256"] as const) {
      const path = `${folder}/${name}.safetensors`;
      const { tensors, position } = checkpoint(1, 2);
      await writeCheckpoint(path, { tensors, position: { ...position, [name]: digest } });
      await assert.rejects(
        open(path, { ...RECORD, [name]: "e".repeat(64) }),
        /^InputError: Cannot start as the checkpoint ".*" is of another training of that run: /,
      );
      assert.deepEqual((await open(path, { ...RECORD, [name]: digest })).tensors, tensors);
    }
  }));
