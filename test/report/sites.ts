/** The site of invented papers and runs, for the tests that read it as text and for those that open it. */
import { dirname, join } from "node:path";
import { parseImport } from "../../src/report/read/imported.ts";
import { renderReports } from "../../src/report/mod.ts";
import type { ArmTitle, Paper } from "../../src/catalog/paper.ts";
import type { RunRecord } from "../../src/record/record.ts";
import { PAGE, record, RECORDS } from "./fixtures.ts";

/** A second paper, over the same runs. */
export const OTHER: Paper<ArmTitle> = {
  ...PAGE,
  id: "other",
  title: "Other: another invented paper",
  caveat: null,
  claims: [{
    id: "good-w2a2",
    statement: "Good beats LSQ at W2A2 on ResNet-18 by 1.50",
    source: "arXiv:0000.00000v1, Table 1",
    quantity: { kind: "top1" },
    arm: "good",
    baseline: "lsq",
    relation: "above",
    dataset: "cifar10",
    models: ["resnet18"],
    bits: [{ weights: 2, activations: 2 }],
    published: 1.5,
    open: null,
  }],
};

/** A run that ended badly, with the last lines of its log. */
export const BROKEN: RunRecord = {
  ...record({ arm: "wide", seed: 5, top1Percent: null, status: "failed", reason: "out of memory" }),
  log: ["step 7", "<out of> memory & gone"],
};

const IMPORT = "paper,table,dataset,model,method,w_bits,a_bits,seed,top1_percent,tool,protocol,notes\n" +
  [0, 1, 2].map((seed) =>
    `demo,t1,cifar10,resnet18,lsq,2,2,${seed},${86 + seed},MQ 1,paper,\n` +
    `demo,t1,cifar10,resnet18,good,2,2,${seed},${87.5 + seed},MQ 1,paper,two GPUs\n`
  ).join("");

/** Findings, written by hand. */
const FINDINGS = "# Findings\n\nGood gains, see [its page](demo.md) and [elsewhere](https://example.org).\n\n" +
  "## More\n\n- **Bold** `code` <script>alert(1)</script>\n";

/** The files of the site by path below its root. */
export function renderedSite(records: readonly RunRecord[] = [...RECORDS, BROKEN]): Map<string, string> {
  const files = renderReports({
    pages: [PAGE, OTHER],
    records,
    deviations: { reduced: ["A small net"] },
    findings: FINDINGS,
    imported: parseImport(IMPORT, "mq.csv"),
  });
  return new Map(
    files.filter(({ path }) => path.startsWith("site/")).map(({ path, text }) => [path.slice("site/".length), text]),
  );
}

/** Writes the files below a folder. */
export function writeSite(files: ReadonlyMap<string, string>, folder: string): void {
  for (const [path, text] of files) {
    Deno.mkdirSync(dirname(join(folder, path)), { recursive: true });
    Deno.writeTextFileSync(join(folder, path), text);
  }
}
