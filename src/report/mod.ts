/**
 * Records and published cells in, finished pages out. Pure: nothing is read, written or printed here.
 */
import type { Measurement } from "../record/measurement.ts";
import type { RunRecord } from "../record/record.ts";
import { baseOf } from "../record/spec.ts";
import { aggregate } from "./judge/aggregate.ts";
import { arithmeticBlocks } from "./pages/arithmetic.ts";
import { budgetBlocks } from "./pages/budgets.ts";
import { resultsOf } from "./read/result.ts";
import { type Block, heading, type SitePage } from "./pages/blocks.ts";
import { claimResults } from "./judge/claims.ts";
import { claimsPageBlocks } from "./pages/claims.ts";
import type { CoreTable } from "../catalog/suite.ts";
import { coreBlocks, coreTable, onOneDnn } from "./pages/core.ts";
import { takenAgainBlocks } from "./pages/norm_statistics.ts";
import { type Moments, movedCellBlocks } from "./pages/moved_cells.ts";
import { standaloneSvg } from "./render/figures/figure_svg.ts";
import { toCsv } from "./render/csv.ts";
import type { CostOf } from "./pages/labelled_figures.ts";
import type { ImportedRun } from "./read/imported.ts";
import { importedSections, requirePapers } from "./judge/imported_sections.ts";
import { dataFiles, fileOf, type ReportFile } from "./render/data.ts";
import { toMarkdown } from "./render/markdown.ts";
import { overviewBlocks } from "./pages/overview.ts";
import { pageBlocks } from "./pages/paper.ts";
import { paperPages } from "./pages/paper_pages.ts";
import { siteFiles } from "./render/html/site.ts";
import { BASELINE } from "./judge/rows.ts";
import { type ReportSection, reportSections } from "./judge/tables.ts";
import type { ArmTitle, Paper } from "../catalog/paper.ts";

export type { ReportFile } from "./render/data.ts";
export { type ImportedRun, parseImport } from "./read/imported.ts";
export { parseMeasurements, parseRecords } from "./read/records.ts";
export { runsOf } from "./judge/tables.ts";

/** Everything that a report is made from. */
export interface ReportInput {
  /** The papers to render, one page each. */
  readonly pages: readonly Paper<ArmTitle>[];
  /** All runs; those that belong to no table of a page are left out of it. */
  readonly records: readonly RunRecord[];
  /** Changes of each protocol to the paper's recipe, by protocol name. */
  readonly deviations: Readonly<Record<string, readonly string[]>>;
  /** Measurements of the runs' networks; left out: none. */
  readonly measurements?: readonly Measurement[];
  /** The table over all papers; left out: none. */
  readonly core?: CoreTable;
  /** Conclusions from the evidence, written by hand in Markdown; left out: none. */
  readonly findings?: string | null;
  /** Finds the cost of training a run; left out: not known. */
  readonly costOf?: CostOf;
  /** Results of other tools, shown in rows of their own; left out: none. */
  readonly imported?: readonly ImportedRun[];
}

/**
 * Renders every page as `<paper>.md` and `<paper>.csv`, and under `site/` the site over all of them, with each paper's
 * other formats in `site/data/`. Same input, same text: no clock and no random source is read.
 *
 * @throws {InputError} If the records of one cell do not belong together (see `aggregate`), or an imported run fits no table.
 */
export function renderReports(
  { pages, records, deviations, core, measurements = [], findings = null, imported: others = [], ...rest }: ReportInput,
): ReportFile[] {
  const all = aggregate(resultsOf(records)), byId = new Map(records.map((record) => [record.id, record]));
  const { costOf = () => null } = rest, context = { records: byId, costOf };
  requirePapers(pages, others);
  const papers = pages.map((page) => {
    const sections = reportSections(page, all);
    const imported = importedSections(page, others);
    const claims = claimResults(page, { aggregate: all, measurements });
    const data = dataFiles(page, { sections, imported, claims });
    const input = { page, sections, aggregate: all, ...context, deviations, imported, measurements, claims };
    const blocks = pageBlocks({ ...input, sections: comparing(sections) });
    return {
      page,
      sections,
      claims,
      data,
      blocks,
      pages: paperPages(input, [...pageBlocks(input), ...dataLinks(data)]),
    };
  });
  const tableOf = (core: CoreTable) => ({ core, table: coreTable(core, all), outdated: all.outdated, ...context });
  const whole = core ? { ...tableOf(core), exact: tableOf(onOneDnn(core)) } : null;
  const over = whole && {
    title: whole.core.title,
    blocks: [
      ...coreBlocks(whole),
      ...takenAgainBlocks([whole.core, whole.exact.core], measurements),
      ...budgetBlocks({ core: whole.core, aggregate: all, records: byId }),
      ...arithmeticBlocks(whole.core, all),
    ],
  };
  const differences = over?.blocks.find((block) => block.kind === "figure" && block.id.endsWith("-difference"));
  const extras: SitePage[] = [
    ...(over ? [{ href: "core.html", ...over }] : []),
    ...(findings === null
      ? []
      : [{ href: "findings.html", title: "Findings", blocks: [{ kind: "markdown", text: findings } as const] }]),
    ...(papers.some(({ claims }) => claims.length > 0)
      ? [{ href: "claims.html", title: "Claims", blocks: claimsPageBlocks(papers) }]
      : []),
  ];
  const site = siteFiles({ overview: overviewBlocks(papers, whole), papers, extras, records });
  return [
    ...papers.flatMap(({ page, sections, blocks }): ReportFile[] => [
      fileOf(`${page.id}.md`, () => toMarkdown(blocks)),
      fileOf(`${page.id}.csv`, () => toCsv(page.id, sections)),
    ]),
    ...(over ? [fileOf("core.md", () => toMarkdown(over.blocks))] : []),
    ...(differences?.kind === "figure" ? [fileOf("core.svg", () => standaloneSvg(differences))] : []),
    ...[...site, ...papers.flatMap(({ data }) => data.map(({ file }) => file))]
      .map((file) => fileOf(`site/${file.path}`, () => file.text)),
  ];
}

/**
 * Names the cells whose numbers or verdict moved between two sets of records, as Markdown.
 *
 * @throws {InputError} If the records of one cell do not belong together (see `aggregate`).
 */
export function movedCells(
  pages: readonly Paper<ArmTitle>[],
  { since, before, now }: Pick<Moments, "since"> & {
    readonly before: readonly RunRecord[];
    readonly now: readonly RunRecord[];
  },
): string {
  const [then, today] = [before, now].map((records) => ({
    aggregate: aggregate(resultsOf(records)),
    runs: records.length,
  }));
  return toMarkdown(movedCellBlocks(pages, { since, before: then!, now: today! }));
}

/**
 * The sections of a page that cannot fold: those that compare a method with LSQ or a published number; all, if none does.
 *
 * Left out are runs that test the software, and full precision and LSQ alone, which another page has too.
 */
function comparing(sections: readonly ReportSection[]): readonly ReportSection[] {
  const kept = sections.filter(({ protocol, runs, tables }) => {
    const compares = tables.some(({ rows }) =>
      rows.some(({ arm, published }) => published?.top1Percent != null || ![BASELINE, "fp"].includes(arm.id))
    );
    return baseOf(protocol) !== "smoke" && (runs.length === 0 || compares);
  });
  return kept.some(({ runs }) => runs.length > 0) ? kept : sections;
}

function dataLinks(files: ReturnType<typeof dataFiles>): Block[] {
  return [
    heading(2, "The same cells in other formats"),
    { kind: "links", items: files.map(({ title, file }) => ({ text: title, href: file.path })) },
  ];
}
