import assert from "node:assert/strict";
import { CORE } from "../../../benchmarks/core.ts";
import type { Measurement } from "../../../src/record/measurement.ts";
import { onOneDnn } from "../../../src/report/pages/core.ts";
import { takenAgainTable } from "../../../src/report/pages/norm_statistics.ts";
import { record } from "../fixtures.ts";

function measured(arm: string, seed: number, { name, values }: Pick<Measurement, "name" | "values">): Measurement {
  const { id, spec, environment } = record({ arm, seed, model: "resnet20", protocol: "reduced", engine: "onednn" });
  const data = { dataSha256: "a".repeat(64), environment, seconds: 1 };
  return { schema: 1, name, options: {}, run: id, spec, values, epochs: [], ...data };
}

function again(arm: string, seed: number, [top1Percent, recalibratedTop1Percent]: readonly [number, number]) {
  return measured(arm, seed, { name: "norm_recalibration", values: { top1Percent, recalibratedTop1Percent } });
}

const W2A2 = CORE.bits.find(({ weights, activations }) => weights === 2 && activations === 2)!;
const tableOf = (measurements: readonly Measurement[]) => takenAgainTable(onOneDnn(CORE), W2A2, measurements);

Deno.test("a method's difference to LSQ is paired by seed, both with statistics taken again", () => {
  const table = tableOf([
    again("lsq", 0, [80, 79]),
    again("lsq", 1, [81, 80]),
    again("lsq", 2, [90, 90]),
    again("fpq", 0, [70, 80]),
    again("fpq", 1, [72, 82]),
    measured("fpq", 0, { name: "edge_share", values: { share: 0.25 } }),
    measured("fpq", 1, { name: "edge_share", values: { share: 0.35 } }),
  ])!;
  const [lsq, fpq, ...others] = table.rows;
  assert.deepEqual(others, [], "what was not measured has no row");
  assert.deepEqual(lsq, ["LSQ", "83.67 ± 5.51 (3)", "83.00 ± 6.08 (3)", "", "", ""]);
  assert.deepEqual(fpq!.slice(1, 3), ["71.00 ± 1.41 (2)", "81.00 ± 1.41 (2)"]);
  assert.match(String(fpq![3]), /^\+1\.50 \[-4\.85, \+7\.85\]$/); // +1 and +2
  assert.deepEqual(fpq!.slice(4), ["79.50", "30.00"], "LSQ over seeds 0 and 1");
});

Deno.test("there is no table without LSQ, or with LSQ alone, or of another engine", () => {
  assert.equal(tableOf([again("fpq", 0, [70, 80])]), null);
  assert.equal(tableOf([again("lsq", 0, [80, 79])]), null);
  const both = [again("lsq", 0, [80, 79]), again("fpq", 0, [70, 80])];
  assert.notEqual(tableOf(both), null);
  assert.equal(takenAgainTable(CORE, W2A2, both), null);
});
