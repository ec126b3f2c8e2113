/** Which of a run's records is kept; files and measurements: test/cli/report_test.ts, test/cli/measure_test.ts. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { report } from "../../src/cli/report.ts";
import type { RunRecord } from "../../src/record/record.ts";
import { openRun, writeRecord } from "../../src/store/store.ts";
import { withFolder } from "../support/fakes/specs.ts";
import { PAGE, record } from "../report/fixtures.ts";

/** A folder with these records, collected; gives what the command printed of the records. */
function collect(folder: string, items: readonly RunRecord[]): string[] {
  const bench = join(folder, "bench"), records = join(folder, "records");
  for (const item of items) {
    openRun(bench, item.spec);
    writeRecord(bench, item);
  }
  let printed = "";
  const code = report(["--collect", bench, "--records", records, "--out", folder], {
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
  withFolder((folder) => {
    assert.match(collect(folder, [DONE, FAILED]).join(), /^Added 2 runs of [^,]*$/);
    const timeout = record({ arm: "good", top1Percent: null, status: "timeout", reason: "too slow" });
    const again = record({ arm: "good", seed: 1, top1Percent: 79 });
    const [added, ...told] = collect(folder, [timeout, again]).sort();
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
    assert.equal(collect(folder, []).filter((line) => line.startsWith("Replaced")).length, 0);
  }));
