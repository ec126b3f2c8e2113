import assert from "node:assert/strict";
import { resolve } from "node:path";
import { acceptanceRows, acceptanceSpecs, acceptanceTable } from "../../src/cli/acceptance.ts";
import { PAPERS, SUITE } from "../../benchmarks/mod.ts";
import { planRuns } from "../../src/plan/tables.ts";
import { PROTOCOL_DEFINITIONS } from "../../benchmarks/protocols.ts";
import { parseRecords } from "../../src/report/mod.ts";
import { readTextIfThere } from "../../src/store/files.ts";
import type { RunRecord } from "../../src/record/record.ts";
import { runId } from "../../src/record/spec.ts";
import { record } from "../report/fixtures.ts";

const ALL = { table: null, methods: null, bits: null, seeds: null };
const ROOT = resolve(import.meta.dirname!, "../..");

/** Records of the three acceptance runs with these accuracies. */
function records(accuracies: readonly number[]): RunRecord[] {
  return acceptanceSpecs("tensorflow").flatMap((spec, i) =>
    i < accuracies.length
      ? [
        {
          ...record(),
          id: runId(spec),
          spec,
          metrics: { top1Percent: accuracies[i]!, loss: 1 },
          startedAt: "2026-01-01T00:00:00.000Z",
        },
      ]
      : []
  );
}

Deno.test("acceptanceSpecs() gives full precision and two students of it", () => {
  const [teacher, ...students] = acceptanceSpecs("tensorflow");
  assert.equal(teacher!.recipe.epochs, 20);
  assert.deepEqual(students.map(({ teacher }) => teacher), [runId(teacher!), runId(teacher!)]);
  assert.deepEqual(students.map(({ arm }) => arm), ["lsq", "lsq"]);
  assert.deepEqual(students.map(({ quantization }) => quantization!.weightBits), [4, 2]);
});

Deno.test("the acceptance runs are runs of a paper's tables", () => {
  const papers = PAPERS.filter(({ id }) => id === "fpq"), protocol = PROTOCOL_DEFINITIONS.reduced;
  const runs = planRuns({ ...ALL, suite: SUITE, papers, protocol, engine: "tensorflow", models: ["resnet20"] });
  const ids = new Set(runs.map(({ id }) => id));
  for (const spec of acceptanceSpecs("tensorflow")) assert.ok(ids.has(runId(spec)), spec.arm);
});

Deno.test("acceptanceRows() holds at 88 %, and below 1 and 6 points lost", () => {
  const holds = (accuracies: number[]) => acceptanceRows(records(accuracies), "tensorflow").map(({ holds }) => holds);
  assert.deepEqual(holds([88, 87.5, 82.5]), [true, true, true]);
  assert.deepEqual(holds([87.99, 86.99, 81.99]), [false, false, false]);
  assert.deepEqual(holds([90]), [true, null, null]);
  assert.deepEqual(holds([]), [null, null, null]);
});

Deno.test("acceptanceRows() compares no student with another training of its teacher", () => {
  const [teacher, ...students] = records([88.5, 88.4, 85]);
  const later = { ...teacher!, startedAt: "2026-01-02T00:00:00.000Z" };
  assert.deepEqual(acceptanceRows([later, ...students], "tensorflow").map(({ holds }) => holds), [true, null, null]);
  const [a, b] = ["a", "b"].map((digit) => digit.repeat(64)) as [string, string];
  const told = students.map((student) => ({ ...student, teacherSha256: a }));
  const rows = (networkSha256: string) => acceptanceRows([{ ...later, networkSha256 }, ...told], "tensorflow");
  assert.deepEqual(rows(a).map(({ holds }) => holds), [true, true, true]);
  assert.deepEqual(rows(b).map(({ top1Percent }) => top1Percent), [88.5, null, null]);
});

Deno.test("docs/reproducibility.md shows the acceptance table that the committed records give", () => {
  const path = `${ROOT}/reports/records/reduced.jsonl`;
  const rows = acceptanceRows(parseRecords(readTextIfThere(path) ?? "", path), "tensorflow");
  const page = Deno.readTextFileSync(`${ROOT}/docs/reproducibility.md`);
  const shown = /<!-- acceptance -->\n([\s\S]*?)<!-- \/acceptance -->/.exec(page)?.[1] ?? "";
  // deno fmt lays out tables anew: compare the cells
  const cells = (table: string) =>
    table.split("\n").filter((line) => line.startsWith("|") && !/^\|[\s|:-]+$/.test(line))
      .map((line) => line.split("|").map((cell) => cell.trim()));
  assert.deepEqual(cells(shown), cells(acceptanceTable(rows)));
});
