/** One table over all papers: every method under the same budget, beside its baseline, its controls and full precision. */
import { type Aggregate, keyText } from "../judge/aggregate.ts";
import { banner, type Block, heading, paragraph, type TableBlock, type TableCell } from "./blocks.ts";
import { figureBlocks, type FigureContext } from "./figures.ts";
import { bitsTitle, formatBits } from "../../catalog/bits.ts";
import { armTitle, datasetTitle, modelTitle } from "../../catalog/titles.ts";
import { MINIMUM_SEEDS } from "../judge/decision.ts";
import { detection, pooledCheck } from "./answers.ts";
import { counted, listed } from "../labels.ts";
import { differenceText, reproducedText, SAME_SEEDS, sameSeedsText, statisticsBlocks } from "./results.ts";
import { type ReportRow, reportSections, type ReportTable } from "../judge/tables.ts";
import type { RunRecord } from "../../record/record.ts";
import type { ArmTitle, Paper } from "../../catalog/paper.ts";
import { protocolTitle } from "../../catalog/protocol.ts";
import type { CoreTable } from "../../catalog/suite.ts";
import { protocolLabel, protocolOf } from "../../record/spec.ts";

/** Everything of the table over all papers. */
export interface Core extends Omit<FigureContext, "idPrefix"> {
  readonly core: CoreTable;
  readonly table: ReportTable;
  /** The same methods on engine onednn; left out: not shown. */
  readonly exact?: Omit<Core, "exact">;
  readonly outdated: Aggregate["outdated"];
}

/** The table of the same methods on engine onednn, whose cells are its own. */
export function onOneDnn(core: CoreTable): CoreTable {
  return { ...core, protocol: protocolLabel({ protocol: protocolOf(core.protocol), engine: "onednn" }) };
}

/** Lays the runs that are there into one table for each width; an arm without a run says "not run". */
export function coreBlocks({ core, table, exact, outdated, ...figures }: Core): Block[] {
  const engines = [...new Set(runsOfCore(core, figures.records).map(({ spec }) => spec.engine))].sort();
  const ran = widthsRun(core, { rows: table.rows, outdated }), left = core.bits.filter((bits) => !ran.includes(bits));
  return [
    heading(1, core.title),
    paragraph(
      `${modelTitle(core.model)} on ${datasetTitle(core.dataset)}, protocol ${core.protocol}${
        engines.length > 0 ? `, engine ${listed(engines)}` : ""
      }: the same start, data, ` +
        "order of images and number of steps for every method of a seed. Top-1 accuracy in percent on the test images after " +
        "the last epoch, mean ± sample standard deviation over n seeds; differences in points, paired by seed, with t " +
        "intervals (95 %). A gain of a method counts only if it is one over its controls too: they have its quantizer, its " +
        "second view or its averaging without the method.",
    ),
    banner(
      "A small form of the recipe on a model that is not the papers': this table compares methods under one budget and " +
        "reproduces no published number. MEC is a reconstruction and CR-like a stand-in: neither is the paper's own method.",
    ),
    ...ran.map((bits) => partTable(core, bits, { rows: table.rows, outdated })),
    {
      kind: "list",
      items: [
        ...detection({ core, table }),
        ...pooledCheck({ core, table }),
        ...core.reading,
        ...core.cautions,
        ...(left.length === 0 ? [] : [`Not run: ${listed(left.map(formatBits))}`]),
      ],
    },
    ...statisticsBlocks(table),
    ...figureBlocks(table, { ...figures, idPrefix: core.protocol }),
    ...(exact ? exactBlocks(exact) : []),
  ];
}

/** The widths at which a method has been run, by this code or, with a revision that no longer counts, before. */
function widthsRun(
  core: CoreTable,
  { rows, outdated }: { readonly rows: readonly ReportRow[] } & Pick<Aggregate, "outdated">,
): CoreTable["bits"] {
  return core.bits.filter(({ weights: weightBits, activations: activationBits }) =>
    rows.some((row) => row.n > 0 && row.weightBits === weightBits && row.activationBits === activationBits) ||
    core.arms.some((arm) => outdatedOf(core, { arm, weightBits, activationBits }, outdated) > 0)
  );
}

function runsOfCore(core: CoreTable, records: Core["records"]): RunRecord[] {
  return [...records.values()].filter(({ spec }) =>
    spec.model === core.model && spec.dataset.name === core.dataset && protocolLabel(spec) === core.protocol &&
    core.arms.some(({ id }) => id === spec.arm)
  );
}

/** Tables of the widths that engine onednn has run, and the instructions that it used. */
function exactBlocks({ core, table: { rows }, outdated, records }: NonNullable<Core["exact"]>): Block[] {
  const ran = widthsRun(core, { rows, outdated });
  if (ran.length === 0) return [];
  const used = new Set(runsOfCore(core, records).map(({ environment }) => environment.versions["isa"] ?? "unknown"));
  return [
    heading(2, "The same methods on engine onednn"),
    paragraph(
      `Trained anew by engine onednn, which multiplies integers as such. Instructions: ${
        listed([...used].sort())
      }. No run ` +
        "is of a GPU; deno task repeat compares one on another processor (docs/reproducibility.md). There are fewer seeds so " +
        `far, and a difference over fewer than ${MINIMUM_SEEDS} decides nothing.`,
    ),
    ...ran.map((bits) => partTable(core, bits, { rows, outdated })),
  ];
}

/** Only the model and the protocol of the table, as a table of a page that publishes nothing. */
export function coreTable(core: CoreTable, { cells, byKey }: Aggregate): ReportTable {
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
  const found = section?.tables[0] ?? { table: page.tables[0]!, rows: [], suites: [] };
  const place = ({ weightBits, activationBits }: ReportRow) =>
    bits.findIndex(({ weights, activations }) => weights === weightBits && activations === activationBits);
  return { ...found, rows: found.rows.toSorted((a, b) => place(a) - place(b)) };
}

/** One width, full precision above it. */
export function partTable(
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
    caption: `${bitsTitle(at)}: ${modelTitle(core.model)}, ${datasetTitle(core.dataset)}, protocol ${
      protocolTitle(core.protocol)
    }`,
    columns: [
      { title: "Method", align: "left", names: true },
      { title: "Top-1, mean ± sd (n)", align: "right" },
      { title: "Difference to LSQ [95 %]", align: "right" },
      { title: SAME_SEEDS, align: "right" },
      { title: "Difference to its controls [95 %]", align: "left" },
      { title: "Gap to own FP [95 %]", align: "right" },
    ],
    rows: core.arms.map((arm): TableCell[] => {
      const row = rowOf(arm), ran = (other: ArmTitle) => (rowOf(other)?.n ?? 0) > 0;
      if (row === undefined) {
        return [armTitle({ arm }), notRun(outdatedOf(core, { ...at, arm }, outdated)), "", "", "", ""];
      }
      const controls = row.differencesToControls.map(({ control, difference }) =>
        `${differenceText(difference, row.n) || (ran(control) ? "no common seed" : "not run")} (${control.title})`
      );
      return [
        armTitle(row),
        reproducedText(row),
        differenceText(row.differenceToLsq, row.n),
        sameSeedsText(row),
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
