/** One table over all papers: every method under the same budget, beside its baseline, its controls and full precision. */
import type { ProtocolName } from "../../record/spec.ts";
import type { RunRecord } from "../../record/record.ts";
import { type Aggregate, cellKey, keyText } from "../judge/aggregate.ts";
import { type Block, heading, paragraph, type TableBlock, type TableCell } from "./blocks.ts";
import { figureBlocks, runsByCell } from "./figure_blocks.ts";
import { bitsTitle, counted, datasetTitle, modelTitle } from "../labels.ts";
import { armTitle, differenceText, reproducedText } from "./result_table.ts";
import { statisticsBlocks } from "./statistics.ts";
import { type ReportRow, reportSections, type ReportTable } from "../judge/tables.ts";
import type { ArmTitle, PageTable, PaperPage } from "../../catalog/paper.ts";

/** What the table is of. */
export interface CoreTable {
  readonly title: string;
  readonly protocol: ProtocolName;
  readonly dataset: string;
  readonly model: string;
  /** In the order of the rows; full precision among them. */
  readonly arms: readonly ArmTitle[];
  /** The table's parts, in their order. */
  readonly bits: PageTable["bits"];
  /** What a reader must know of its columns and rows, a sentence each. */
  readonly notes: readonly string[];
}

/** The page and the drawing of its differences; null: nothing was compared yet. */
export interface Core {
  readonly blocks: readonly Block[];
  readonly svg: string | null;
}

/** The table of the runs that are there; what is not run is in it as "not run". */
export function coreReport(core: CoreTable, aggregate: Aggregate): Core {
  const { table, runs } = ownTable(core, aggregate), rows = table.rows;
  const results = core.bits.map((bits) => partTable(core, bits, { rows, outdated: aggregate.outdated }));
  const figures = figureBlocks(table, { runs: runsByCell({ runs }), idPrefix: core.protocol });
  const differences = figures.find((block) => block.kind === "figure" && block.id.endsWith("-difference"));
  return {
    blocks: [
      heading(1, core.title),
      paragraph(
        `${modelTitle(core.model)} on ${
          datasetTitle(core.dataset)
        }, protocol ${core.protocol}: the same start, data, ` +
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
      ...results,
      { kind: "list", items: core.notes },
      ...statisticsBlocks(table),
      ...figures,
    ],
    svg: differences?.kind === "figure" ? standalone(differences.svg) : null,
  };
}

/** Only the model and the protocol of the table, as a table of a page that publishes nothing. */
function ownTable(core: CoreTable, { cells, byKey }: Aggregate):
  & { table: ReportTable }
  & Pick<
    ReturnType<typeof reportSections>[number],
    "runs"
  > {
  const { title, dataset, arms, bits, protocol } = core;
  const page: PaperPage = {
    id: "core",
    title,
    citation: "",
    arxiv: "",
    caveat: null,
    tables: [{ id: "core", title, dataset, arms: arms.map(({ id }) => id), bits }],
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
  return { table: section?.tables[0] ?? { table: page.tables[0]!, rows: [], suites: [] }, runs: section?.runs ?? [] };
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
  outdated: readonly RunRecord[],
): number {
  const text = keyText({ protocol, model, dataset, arm: arm.id, weightBits, activationBits });
  return outdated.filter(({ spec }) => keyText(cellKey(spec)) === text).length;
}

/** Older runs are kept and no longer shown: a reader who looks for them must not think that there are none. */
function notRun(outdated: number): string {
  return outdated === 0 ? "not run" : `not run anew (${counted(outdated, "older run")} left out)`;
}

/** A drawing of the site as a file of its own: on white, with the colours that the site's style sheet has for it. */
function standalone(svg: string): string {
  const style = "svg { --page: #ffffff; --ours: #0062a3; --published: #b34700; --reference: #767d86; color: #1b1f24; " +
    "background: #ffffff; font: 13px system-ui, sans-serif; }";
  const named = svg.includes("xmlns=") ? svg : svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ');
  return named.replace(/^(<svg [^>]*>)/, `$1<style>${style}</style>`) + "\n";
}
