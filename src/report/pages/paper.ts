import type { Measurement } from "../../record/measurement.ts";
import { baseOf, partsOfProtocol, type ProtocolLabel, runId, type RunSpec } from "../../record/spec.ts";
import type { Aggregate } from "../judge/aggregate.ts";
import {
  banner,
  type Block,
  heading,
  listSection,
  naming,
  numbers,
  type PageLink,
  paragraph,
  tableOf,
  words,
} from "./blocks.ts";
import type { ClaimResult } from "../judge/claims.ts";
import { claimBlocks, claimSummary } from "./claims.ts";
import { figureBlocks, type FigureContext, publishedFigure } from "./figures.ts";
import { measurementBlocks } from "./measurements.ts";
import type { ImportedSection } from "../judge/imported_sections.ts";
import { bitsTitle } from "../../catalog/bits.ts";
import { armTitle, datasetTitle, modelTitle, shortTitle } from "../../catalog/titles.ts";
import { counted, points, signed, verdictTitle } from "../labels.ts";
import { meanText, NAMES, resultBlocks, statisticsBlocks } from "./results.ts";
import { environmentBlocks, failureBlocks, runBlocks } from "./runs.ts";
import { type ReportRow, type ReportSection, type ReportTable, runsOf } from "../judge/tables.ts";
import { armOf, BASELINE } from "../judge/rows.ts";
import type { Result } from "../read/result.ts";
import { toleranceResults } from "../judge/tolerances.ts";
import { toleranceBlocks } from "./tolerances.ts";
import { movedFrom } from "../../catalog/moved_arm.ts";
import { protocolFlags, protocolTitle } from "../../catalog/protocol.ts";
import type { ArmTitle, Paper } from "../../catalog/paper.ts";
import { VERDICT_RULES } from "../judge/verdict.ts";

const SMOKE_BANNER = "Smoke protocol: this page tests the software and says nothing about the paper.";
const SMOKE_SECTION_BANNER = "Smoke protocol: this section tests the software and says nothing about the paper.";

/** Stands above the tables. */
export const LEGEND =
  "All numbers are top-1 accuracy in percent on the test images; reproduced ones are of the last epoch, mean ± sample " +
  "standard deviation over n seeds. Differences are in points and paired by seed: to our LSQ run of the same seed, and to " +
  "the full-precision run (FP) that the run started from. Intervals of differences are t intervals (95 %), which keep what " +
  "they promise for few seeds; bootstrap intervals stand beside them and are too short there (docs/reproducibility.md).";

/** Where the page of a paper lies, relative to the root of the site. */
export function paperHref(id: string): string {
  return `${id}.html`;
}

/** Everything a page is made from. */
export interface PageInput extends Omit<FigureContext, "idPrefix"> {
  readonly page: Paper<ArmTitle>;
  readonly sections: readonly ReportSection[];
  readonly aggregate: Aggregate;
  readonly deviations: Readonly<Record<string, readonly string[]>>;
  /** Measurements of all runs; those of the page's tables are shown. */
  readonly measurements: readonly Measurement[];
  /** The page's claims with their evidence. */
  readonly claims: readonly ClaimResult[];
  /** Cells of other tools. */
  readonly imported: readonly ImportedSection[];
}

/** A paper's page. A page whose only runs are of the smoke protocol says so in its first line. */
export function pageBlocks(
  { page, sections, aggregate, records, costOf, deviations, measurements, imported, claims }: PageInput,
): Block[] {
  const ran = sections.filter(({ runs }) => runs.length > 0);
  const isSmokeOnly = ran.length > 0 && ran.every(({ protocol }) => baseOf(protocol) === "smoke");
  return [
    ...(isSmokeOnly ? [banner(SMOKE_BANNER)] : []),
    heading(1, page.title),
    paragraph(`${page.citation}. ${page.arxiv}.`),
    ...(page.caveat === null ? [] : [banner(page.caveat)]),
    ...claimSummary(claims),
    paragraph(LEGEND),
    ...toleranceBlocks(page, toleranceResults(page, sections)),
    ...sections.flatMap((section) => sectionBlocks(section, { page, records, costOf, deviations, isSmokeOnly })),
    ...claimBlocks(page, claims),
    ...publishedFigure(page, claims),
    ...measurementBlocks(page, measurements),
    ...importedBlocks(imported, sections),
    ...publishedDifferenceBlocks(page),
    ...listSection(heading(2, "Anomalies of the published numbers"), {
      items: page.anomalies.map(({ text }, index) => `†${index + 1} ${text}`),
    }),
    ...listSection(heading(2, "Assumptions, where the paper is silent"), { items: page.assumptions, ordered: true }),
    ...listSection(heading(2, "Deviations from the paper, in every protocol"), {
      items: page.deviations,
      ordered: true,
    }),
    ...listSection(heading(2, "How a verdict is made"), { items: VERDICT_RULES }),
    ...listSection(heading(2, "Left out of all tables"), { items: leftOutItems(page, aggregate) }),
    heading(2, "Run it again"),
    {
      kind: "commands",
      lines: [
        ...(ran.length > 0 ? ran : sections).flatMap((section) => commandsOf(page, section, records)),
        `deno task report --paper ${page.id}`,
      ],
    },
  ];
}

/** Commands that train the runs of a section again, one for each set of seeds; full precision comes with its students. */
function commandsOf(
  { id, tables }: Paper<ArmTitle>,
  { protocol, runs }: ReportSection,
  records: PageInput["records"],
): string[] {
  const command = `deno task bench --paper ${id} ${protocolFlags(protocol)}`;
  if (runs.length === 0) return [command];
  const specs = runs.map((run) => records.get(run.id)!.spec), teachers = new Set(specs.map(({ teacher }) => teacher));
  const own = specs.filter((spec) => !teachers.has(runId(spec)));
  const { engine: labelled } = partsOfProtocol(protocol);
  const methodOf = ({ arm }: RunSpec) => movedFrom(arm, BASELINE)?.base ?? arm;
  function flagsOf(spec: RunSpec): string {
    const { dataset, model, quantization, engine } = spec, moved = movedFrom(spec.arm, BASELINE);
    const table = tables.find((table) =>
      table.dataset === dataset.name && table.arms.some(({ id }) => id === methodOf(spec))
    );
    return [
      ...(table ? [`--table ${table.id}`] : []), // a protocol runs some tables unasked, and another data set in none
      `--models ${model}`,
      ...(quantization ? [`--bits ${bitsTitle(quantization)}`] : []),
      ...(moved ? [`--quantizer ${moved.quantizer}`] : []),
      ...(labelled === null ? [`--engine ${engine}`] : []),
      // the label is of float32, and a GPU's default is TF32
      ...(labelled === null && engine === "tensorflow" ? ["--precision float32"] : []),
    ].join(" ");
  }
  const cells = Map.groupBy(own, (spec) => `${flagsOf(spec)} ${methodOf(spec)}`);
  const lines = Map.groupBy(cells.values(), (cell) => {
    return `${flagsOf(cell[0]!)} --seeds ${cell.map(({ seed }) => seed).sort((a, b) => a - b)}`;
  });
  return [...lines].map(([flags, group]) => `${command} ${flags} --methods ${group.map((cell) => methodOf(cell[0]!))}`);
}

interface SectionContext extends Pick<PageInput, "page" | "records" | "costOf" | "deviations"> {
  readonly isSmokeOnly: boolean;
}

function sectionBlocks(
  { protocol, tables, runs: results }: ReportSection,
  { page, records, costOf, deviations, isSmokeOnly }: SectionContext,
): Block[] {
  const armTitleOf = (id: string) => armTitle({ arm: armOf(page, id) });
  const runs = results.map(({ id }) => records.get(id)!);
  const isSmoke = baseOf(protocol) === "smoke";
  const shown = tables.flatMap((table) => [...resultBlocks(table), ...statisticsBlocks(table)]);
  const figures = tables.flatMap((table): Block[] => {
    const quantized = table.rows.filter(({ n, weightBits }) => n > 0 && weightBits !== null);
    const compares = new Set(quantized.map(({ arm }) => arm.id)).size > 1;
    const own = isSmoke || !compares ? [] : figureBlocks(table, { records, costOf, idPrefix: protocol });
    return own.length === 0 ? [] : [{ kind: "figures", page: figuresPage(page, protocol, table), figures: own }];
  });
  return [
    heading(
      2,
      sectionTitle(protocol, runs.length),
      isSmoke ? { href: `${page.id}_smoke.html`, title: `${shortTitle(page)}: smoke runs` } : undefined,
    ),
    ...(isSmoke && !isSmokeOnly ? [banner(SMOKE_SECTION_BANNER)] : []),
    ...(shown.length > 0 ? shown : [paragraph("No published number and no run.")]),
    ...failureBlocks(runs, armTitleOf),
    ...(runs.length === 0 ? [] : listSection(heading(3, `Deviations of protocol ${protocolTitle(protocol)}`), {
      items: deviations[protocol] ?? [],
    })),
    ...runBlocks(runs, armTitleOf),
    ...environmentBlocks(runs),
    ...figures,
  ];
}

function figuresPage(page: Paper<ArmTitle>, protocol: ProtocolLabel, { table }: ReportTable): PageLink {
  const name = `${protocol}_${table.id}`.replace(/\W+/g, "_");
  return {
    href: `${page.id}_figures_${name}.html`,
    title: `${shortTitle(page)}: figures of ${table.id}, ${protocolTitle(protocol)}`,
  };
}

function sectionTitle(protocol: ProtocolLabel, runs: number): string {
  return runs === 0 ? `Cells of protocol ${protocol} without a run` : `Protocol ${protocolTitle(protocol)}`;
}

function publishedDifferenceBlocks(page: Paper<ArmTitle>): Block[] {
  if (page.publishedDifferences.length === 0) return [];
  const caption = "Differences that the paper states without the numbers they are made of";
  return [
    heading(2, "Published differences"),
    tableOf(caption, page.publishedDifferences, {
      fields: [
        words("Data set", ({ dataset }) => datasetTitle(dataset)),
        naming("Model", ({ model }) => modelTitle(model)),
        words("Bits", (item) => item.weightBits === null ? "unknown" : bitsTitle(item)),
        words("Baseline", ({ baseline }) => baseline ?? "unknown"),
        numbers("Published difference", ({ differencePoints }) => signed(differencePoints)),
        words("Source", ({ source }) => source),
        words("Verdict", () => ({ text: verdictTitle("not_comparable"), verdict: "not_comparable" })),
        words("Because", ({ reason }) => reason ?? ""),
      ],
    }),
  ];
}

/** Results of other tools beside ours, then each tool's own; nothing where nothing was imported. */
function importedBlocks(imported: readonly ImportedSection[], ours: readonly ReportSection[]): Block[] {
  if (imported.length === 0) return [];
  const groups = Map.groupBy(imported, ({ table, protocol }) => `${table.table.id} ${protocol}`);
  return [
    heading(2, "Results of other tools"),
    paragraph(
      "Imported with --import, not run by Requant and in no mean of ours. The rules are the same: mean over seeds, " +
        "differences paired by seed to the tool's own LSQ and full precision, verdicts from them. What the tool did is as its " +
        "file says.",
    ),
    ...[...groups.values()].map((sections) => besideOurs(sections, ours)),
    ...imported.flatMap(({ tool, protocol, table, notes }) => [
      ...resultBlocks({
        ...table,
        table: { ...table.table, title: `${tool}: ${table.table.title}, protocol ${protocolTitle(protocol)}` },
      }),
      ...listSection(paragraph(`Notes of ${tool}:`), { items: notes }),
    ]),
  ];
}

/** Our mean of the same cell and protocol, then a column a tool. */
function besideOurs(sections: readonly ImportedSection[], ours: readonly ReportSection[]): Block {
  const { protocol, table: { table } } = sections[0]!;
  const own = ours.filter((section) => section.protocol === protocol).flatMap(({ tables }) =>
    tables.filter((candidate) => candidate.table.id === table.id).flatMap(({ rows }) => rows)
  );
  const rows = new Map(sections.flatMap((section) => section.table.rows).map((row) => [cellName(row), row]));
  const find = (all: readonly ReportRow[], row: ReportRow) => all.find((other) => cellName(other) === cellName(row));
  return tableOf(`${table.title}, protocol ${protocolTitle(protocol)}: other tools beside ours`, [...rows.values()], {
    fields: [
      ...NAMES,
      numbers("Published", ({ published }) => published?.top1Percent == null ? "" : points(published.top1Percent)),
      numbers("Requant, mean ± sd (n)", (row) => textOf(find(own, row))),
      ...sections.map((section) =>
        numbers<ReportRow>(`${section.tool}, mean ± sd (n)`, (row) => textOf(find(section.table.rows, row)))
      ),
    ],
  });
}

function cellName({ model, arm, weightBits, activationBits }: ReportRow): string {
  return `${model} ${arm.id} ${weightBits} ${activationBits}`;
}

function textOf(row: ReportRow | undefined): string {
  return row === undefined ? "" : meanText(row);
}

/** One item for each kind of run that stays out, if there are such runs. */
export function leftOutItems(page: Paper<ArmTitle>, { heldOut, outdated }: Aggregate): string[] {
  const trials = runsOf(page, heldOut), old = runsOf(page, outdated);
  const versions = [...new Set(old.map(versionText))].sort().join("; ");
  return [
    ...(trials.length > 0
      ? [
        `${counted(trials.length, "run")} on held-out training images, which choose hyper-parameters and are no result`,
      ]
      : []),
    ...(old.length > 0
      ? [
        `${counted(old.length, "run")} of an older version (${versions}): the code has changed what they compute`,
      ]
      : []),
  ];
}

function versionText({ version }: Result): string {
  const { recipe, quantizer, revision } = version!;
  return `recipe ${recipe}${quantizer === null ? "" : `, ${quantizer} ${revision}`}`;
}
