import assert from "node:assert/strict";
import { traceOf, withFolder } from "../support/fakes/specs.ts";
import { GRID, recordsOf, startPool, times, undisturbed } from "./grid.ts";

const EXPECTED = await undisturbed();

function starts(out: string): string[] {
  return traceOf(out).filter((line) => line.startsWith("start "));
}

for (let round = 0; round < times(1, 10); round++) {
  Deno.test(`two schedulers on one folder run nothing twice and both end with all records (${round})`, () =>
    withFolder(async (out) => {
      const pools = [startPool(out), startPool(out)];
      const ends = await Promise.all(pools.map((pool) => pool.ended()));
      for (const { code, stdout, stderr } of ends) {
        assert.equal(code, 0, stderr);
        assert.deepEqual(JSON.parse(stdout).records, GRID.map(() => "done"));
      }
      assert.equal(starts(out).length, GRID.length);
      assert.deepEqual(recordsOf(out), EXPECTED);
      const shared = ends.map(({ stderr }) => stderr.split("\n").filter((line) => line.startsWith("started ")).length);
      assert.equal(shared[0]! + shared[1]!, GRID.length);
      assert.ok(ends.some(({ stderr }) => /^elsewhere /m.test(stderr)));
    }));

  Deno.test(`a scheduler that is killed has its runs taken over by the other (${round})`, () =>
    withFolder(async (out) => {
      const pools = [startPool(out), startPool(out)];
      while (starts(out).length < 2) await new Promise((resolve) => setTimeout(resolve, 20));
      pools[0]!.child.kill("SIGKILL");
      const [killed, other] = await Promise.all(pools.map((pool) => pool.ended()));
      assert.notEqual(killed!.code, 0);
      assert.equal(other!.code, 0, other!.stderr);
      assert.deepEqual(JSON.parse(other!.stdout).records, GRID.map(() => "done"));
      assert.deepEqual(recordsOf(out), EXPECTED);
      // What the killed one had is begun again, and nothing else.
      assert.ok(starts(out).length <= GRID.length + 2, starts(out).join());
    }));
}
