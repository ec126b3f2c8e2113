import assert from "node:assert/strict";
import { parseRecords } from "../../src/report/read/records.ts";

const ROOT = new URL("../../", import.meta.url);

/** Least and most minutes, rounded; null: nothing was run. */
function range(minutes: readonly number[]): string | null {
  if (minutes.length === 0) return null;
  return `${Math.round(Math.min(...minutes))} to ${Math.round(Math.max(...minutes))}`;
}

Deno.test("README gives what runs of protocol reduced took by the committed records", () => {
  const path = new URL("reports/records/reduced.jsonl", ROOT),
    readme = Deno.readTextFileSync(new URL("README.md", ROOT));
  const records = parseRecords(Deno.readTextFileSync(path), "reduced.jsonl").filter(({ spec, status }) =>
    spec.model === "resnet20" && status === "done"
  );
  const row = readme.split("\n").find((line) => line.startsWith("| `reduced` "))!;
  const shown = [...row.matchAll(/(FP|LSQ\+?|MEC|CR|FPQ)(?: |: )(\d+ to \d+)/g)].map((
    [, title, text],
  ) => [title, text]);
  const arms = { FP: "fp", LSQ: "lsq", MEC: "mec", CR: "cr", "LSQ+": "lsq_plus", FPQ: "fpq" };
  assert.deepEqual(
    shown,
    Object.entries(arms).map(([title, arm]) => {
      const own = records.filter(({ spec }) => spec.arm === arm && spec.engine === "onednn");
      return [title, range(own.map(({ cpuSeconds }) => cpuSeconds! / 60))];
    }),
  );
  const onGpu = records.filter(({ environment }) => /H200/.test(environment.versions["gpu"] ?? ""));
  assert.equal(/H200: (\d+ to \d+) each/.exec(row)?.[1], range(onGpu.map(({ wallSeconds }) => wallSeconds / 60)));
});
