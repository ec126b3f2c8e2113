import assert from "node:assert/strict";
import { runId } from "../../src/record/spec.ts";
import { readRecord } from "../../src/store/store.ts";
import { withFolder } from "../support/fakes/specs.ts";
import { GRID, recordsOf, startPool, undisturbed } from "./grid.ts";

Deno.test("a grid whose clock is set back again and again ends with the same records and no negative time", () =>
  withFolder(async (out) => {
    const { code, stderr } = await startPool(out, undefined, { env: { FAKE_CLOCK: "back" } }).ended();
    assert.equal(code, 0, stderr);
    assert.deepEqual(recordsOf(out), await undisturbed());
    for (const spec of GRID) {
      const { wallSeconds, startedAt } = readRecord(out, runId(spec))!;
      assert.ok(wallSeconds > 0 && wallSeconds < 60, `${wallSeconds}`);
      assert.ok(Date.parse(startedAt) < Date.parse("2001-01-01"), startedAt);
    }
  }));

Deno.test("two schedulers whose clocks are years apart run nothing twice", () =>
  withFolder(async (out) => {
    const pools = [startPool(out), startPool(out, undefined, { env: { FAKE_CLOCK: "back" } })];
    const ends = await Promise.all(pools.map((pool) => pool.ended()));
    for (const { code, stderr } of ends) assert.equal(code, 0, stderr);
    const starts = Deno.readTextFileSync(`${out}/trace.txt`).split("\n").filter((line) => line.startsWith("start "));
    assert.equal(starts.length, GRID.length);
    assert.deepEqual(recordsOf(out), await undisturbed());
  }));
