/** One table over all papers: every method under the same budget, beside its baseline, its controls and full precision. */
import { type Aggregate, keyText } from "../judge/aggregate.ts";
import { type Block, heading, paragraph, type TableBlock, type TableCell } from "./blocks.ts";
import { figureBlocks, type RecordsById } from "./figures.ts";
import { bitsTitle } from "../../catalog/bits.ts";
import { datasetTitle, modelTitle } from "../../catalog/titles.ts";
import { counted } from "../labels.ts";
import { armTitle, differenceText, reproducedText, statisticsBlocks } from "./results.ts";
import { type ReportRow, reportSections, type ReportTable } from "../judge/tables.ts";
import type { ArmTitle, Paper } from "../../catalog/paper.ts";
import type { CoreTable } from "../../catalog/suite.ts";

/** Lays the runs that are there into one table; what is not run is in it as "not run". */
export function coreBlocks(core: CoreTable, aggregate: Aggregate, records: RecordsById): Block[] {
  const table = ownTable(core, aggregate);
  return [
    heading(1, core.title),
    paragraph(
      `${modelTitle(core.model)} on ${datasetTitle(core.dataset)}, protocol ${core.protocol}: the same start, data, ` +
        "order of images and number of steps for every method of a seed. Top-1 accuracy in percent on the test images after " +
        "the last epoch, mean ± sample standard deviation over n seeds; differences in points, paired by seed, with t " +
        "intervals (95 %). A gain of a method counts only if it is one over its controls too: they have its quantizer, its " +
        "second view or its averaging without the method.",
    ),
    {
      kind: "banner",
      text:
        "A small form of the recipe on a model that is not the papers': this table compares methods under one budget and " +
        "reproduces no published number. MEC is a reconstruction and CR-like a stand-in: neither is the paper's own method.",
    },
    ...core.bits.map((bits) => partTable(core, bits, { rows: table.rows, outdated: aggregate.outdated })),
    { kind: "list", items: core.notes },
    ...statisticsBlocks(table),
    ...figureBlocks(table, { records, idPrefix: core.protocol }),
  ];
}

/** Only the model and the protocol of the table, as a table of a page that publishes nothing. */
function ownTable(core: CoreTable, { cells, byKey }: Aggregate): ReportTable {
  const { title, dataset, arms, bits, protocol } = core;
  const page: Paper<ArmTitle> = {
    id: "core",
    title,
    citation: "",
    arxiv: "",
    caveat: null,
    tables: [{ id: "core", title, dataset, models: [core.model], bits, arms }],
    arms,
    published: [],
    publishedDifferences: [],
    anomalies: [],
    assumptions: [],
    deviations: [],
  };
  const own = cells.filter((cell) => cell.model === core.model && cell.protocol === protocol);
  const section = reportSections(page, { cells: own, byKey, heldOut: [], outdated: [] })
    .find((section) => section.protocol === protocol);
  return section?.tables[0] ?? { table: page.tables[0]!, rows: [], suites: [] };
}

/** One width, full precision above it. */
function partTable(
  core: CoreTable,
  bits: CoreTable["bits"][number],
  { rows, outdated }: { readonly rows: readonly ReportRow[] } & Pick<Aggregate, "outdated">,
): TableBlock {
  const at = { weightBits: bits.weights, activationBits: bits.activations };
  const rowOf = (arm: ArmTitle) =>
    rows.find((row) =>
      row.arm.id === arm.id &&
      (row.weightBits === null || (row.weightBits === at.weightBits && row.activationBits === at.activationBits))
    );
  return {
    kind: "table",
    caption: `${bitsTitle(at)}: ${modelTitle(core.model)}, ${datasetTitle(core.dataset)}, protocol ${core.protocol}`,
    columns: [
      { title: "Method", align: "left", names: true },
      { title: "Top-1, mean ± sd (n)", align: "right" },
      { title: "Difference to LSQ [95 %]", align: "right" },
      { title: "Difference to its controls [95 %]", align: "left" },
      { title: "Gap to own FP [95 %]", align: "right" },
    ],
    rows: core.arms.map((arm): TableCell[] => {
      const row = rowOf(arm), ran = (other: ArmTitle) => (rowOf(other)?.n ?? 0) > 0;
      if (row === undefined) return [armTitle({ arm }), notRun(outdatedOf(core, { ...at, arm }, outdated)), "", "", ""];
      const controls = row.differencesToControls.map(({ control, difference }) =>
        `${differenceText(difference, row.n) || (ran(control) ? "no common seed" : "not run")} (${control.title})`
      );
      return [
        armTitle(row),
        reproducedText(row),
        differenceText(row.differenceToLsq, row.n),
        controls.join("; "),
        differenceText(row.gapToFp, row.n),
      ];
    }),
    ordered: true,
  };
}

function outdatedOf(
  { protocol, model, dataset }: CoreTable,
  { arm, weightBits, activationBits }: Pick<ReportRow, "arm" | "weightBits" | "activationBits">,
  outdated: Aggregate["outdated"],
): number {
  const text = keyText({ protocol, model, dataset, arm: arm.id, weightBits, activationBits });
  return outdated.filter(({ cell }) => keyText(cell) === text).length;
}

/** Older runs are kept and no longer shown: a reader who looks for them must not think that there are none. */
function notRun(outdated: number): string {
  return outdated === 0 ? "not run" : `not run anew (${counted(outdated, "older run")} left out)`;
}
