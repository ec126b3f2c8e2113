/**
 * Records and published cells in, finished pages out. Pure: nothing is read, written or printed here.
 */
import type { Measurement } from "../record/measurement.ts";
import type { RunRecord } from "../record/record.ts";
import { aggregate } from "./judge/aggregate.ts";
import { type Block, heading } from "./pages/blocks.ts";
import { claimResults } from "./judge/claims.ts";
import { claimsPageBlocks } from "./pages/claims.ts";
import { coreReport, type CoreTable } from "./pages/core.ts";
import { toCsv } from "./render/csv.ts";
import type { ImportedRun } from "./read/imported.ts";
import { importedSections, requirePapers } from "./judge/imported_sections.ts";
import { type JsonParts, toJson } from "./render/json.ts";
import { toLatex } from "./render/latex.ts";
import { toModelIndex } from "./render/model_index.ts";
import { toWideCsv } from "./render/wide_csv.ts";
import { toMarkdown } from "./render/markdown.ts";
import { overviewBlocks } from "./pages/overview.ts";
import { pageBlocks } from "./pages/paper.ts";
import { siteFiles } from "./render/html/site.ts";
import { reportSections } from "./judge/tables.ts";
import type { PaperPage } from "../catalog/paper.ts";

export { type ImportedRun, parseImport } from "./read/imported.ts";
export { movedCells } from "./pages/moved_cells.ts";
export { parseRecords } from "./read/records.ts";
export { runsOf } from "./judge/tables.ts";

/** What a report is made from. */
export interface ReportInput {
  /** The papers to render, one page each. */
  readonly pages: readonly PaperPage[];
  /** All runs; those that belong to no table of a page are left out of it. */
  readonly records: readonly RunRecord[];
  /** What each protocol changes of the paper's recipe, by protocol name. */
  readonly deviations: Readonly<Record<string, readonly string[]>>;
  /** What was measured of the runs' networks; left out: nothing. */
  readonly measurements?: readonly Measurement[];
  /** The table over all papers; left out: none. */
  readonly core?: CoreTable;
  /** Results of other tools, shown in rows of their own; left out: none. */
  readonly imported?: readonly ImportedRun[];
}

/** A file of the report; the path is relative to the output folder, with forward slashes. */
export interface ReportFile {
  readonly path: string;
  readonly text: string;
}

/**
 * Renders every page as `<paper>.md` and `<paper>.csv`, and under `site/` the site over all of them, with each paper's
 * other formats in `site/data/`. Same input, same text: no clock and no random source is read.
 *
 * @throws {InputError} If the records of one cell do not belong together (see `aggregate`), or an imported run fits no table.
 */
export function renderReports(
  { pages, records, deviations, core, measurements = [], imported: others = [] }: ReportInput,
): ReportFile[] {
  const all = aggregate(records);
  requirePapers(pages, others);
  const papers = pages.map((page) => {
    const sections = reportSections(page, all);
    const imported = importedSections(page, others);
    const claims = claimResults(page, { aggregate: all, measurements });
    const data = dataFiles(page, { sections, imported, claims });
    const blocks = pageBlocks({ page, sections, aggregate: all, deviations, imported, measurements, claims });
    return { page, sections, claims, data, blocks: [...blocks, ...dataLinks(data)] };
  });
  const over = core && coreReport(core, all);
  const extras = [
    ...(over ? [{ link: { href: "core.html", title: core.title }, blocks: over.blocks }] : []),
    ...(papers.some(({ claims }) => claims.length > 0)
      ? [{ link: { href: "claims.html", title: "Claims" }, blocks: claimsPageBlocks(papers) }]
      : []),
  ];
  const site = siteFiles({ overview: overviewBlocks(papers), papers, extras, records });
  return [
    ...papers.flatMap(({ page, sections, blocks }): ReportFile[] => [
      { path: `${page.id}.md`, text: toMarkdown(blocks) },
      { path: `${page.id}.csv`, text: toCsv(page.id, sections) },
    ]),
    ...(over ? [{ path: "core.md", text: toMarkdown(over.blocks) }] : []),
    ...(over?.svg ? [{ path: "core.svg", text: over.svg }] : []),
    ...[...site, ...papers.flatMap(({ data }) => data)].map(underSite),
  ];
}

/** The text stays unmade until it is asked for. */
function underSite(file: ReportFile): ReportFile {
  return {
    path: `site/${file.path}`,
    get text() {
      return file.text;
    },
  };
}

/** A paper's cells in the formats of other tools, relative to the root of the site. */
function dataFiles(
  page: PaperPage,
  { sections, imported, claims }: JsonParts,
): (ReportFile & { readonly title: string })[] {
  return [
    { title: "Tidy CSV", path: `data/${page.id}.csv`, text: toCsv(page.id, sections) },
    { title: "Wide CSV", path: `data/${page.id}_wide.csv`, text: toWideCsv(page.id, sections) },
    { title: "JSON", path: `data/${page.id}.json`, text: toJson(page, { sections, imported, claims }) },
    { title: "LaTeX", path: `data/${page.id}.tex`, text: toLatex(page, sections) },
    { title: "Model index (YAML)", path: `data/${page.id}_model_index.yaml`, text: toModelIndex(page, sections) },
  ];
}

function dataLinks(files: readonly { readonly title: string; readonly path: string }[]): Block[] {
  return [
    heading(2, "The same cells in other formats"),
    { kind: "links", items: files.map(({ title, path }) => ({ text: title, href: path })) },
  ];
}
