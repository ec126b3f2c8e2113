/**
 * Records and published cells in, finished pages out. Pure: nothing is read, written or printed here.
 */
import type { RunRecord } from "../runs/record.ts";
import { aggregate } from "./aggregate.ts";
import { toCsv } from "./csv.ts";
import { type SiteLink, toHtml } from "./html.ts";
import { toMarkdown } from "./markdown.ts";
import { overviewBlocks } from "./overview.ts";
import { pageBlocks } from "./page_blocks.ts";
import { reportSections } from "./tables.ts";
import type { PaperPage } from "./types.ts";

export { parseRecords } from "./records.ts";
export { runsOf } from "./tables.ts";

/** What a report is made from. */
export interface ReportInput {
  /** The papers to render, one page each. */
  readonly pages: readonly PaperPage[];
  /** All runs; those that belong to no table of a page are left out of it. */
  readonly records: readonly RunRecord[];
  /** What each protocol changes of the paper's recipe, by protocol name. */
  readonly deviations: Readonly<Record<string, readonly string[]>>;
}

/** A file of the report; the path is relative to the output folder, with forward slashes. */
export interface ReportFile {
  readonly path: string;
  readonly text: string;
}

const OVERVIEW: SiteLink = { href: "index.html", title: "Overview" };

/**
 * Renders every page as `<paper>.md`, `<paper>.csv` and `site/<paper>.html`, and `site/index.html` over all of them.
 * Same input, same text: no clock and no random source is read.
 *
 * @throws {InputError} If the records of one cell do not belong together (see `aggregate`).
 */
export function renderReports({ pages, records, deviations }: ReportInput): ReportFile[] {
  const all = aggregate(records);
  const papers = pages.map((page) => ({ page, sections: reportSections(page, all) }));
  const links = [OVERVIEW, ...pages.map(({ id }): SiteLink => ({ href: `${id}.html`, title: id.toUpperCase() }))];
  const files = papers.flatMap(({ page, sections }): ReportFile[] => {
    const blocks = pageBlocks({ page, sections, aggregate: all, deviations });
    const frame = { title: page.title, links, current: `${page.id}.html` };
    return [
      { path: `${page.id}.md`, text: toMarkdown(blocks) },
      { path: `${page.id}.csv`, text: toCsv(page.id, sections) },
      { path: `site/${page.id}.html`, text: toHtml(blocks, frame) },
    ];
  });
  const frame = { title: "Requant: overview", links, current: OVERVIEW.href };
  return [...files, { path: `site/${OVERVIEW.href}`, text: toHtml(overviewBlocks(papers), frame) }];
}
