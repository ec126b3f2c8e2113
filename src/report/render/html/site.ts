/** The static site: an overview, one page per paper and per run; linked, and whole without a network. */
import { armTitle, shortTitle } from "../../../catalog/titles.ts";
import type { RunRecord } from "../../../record/record.ts";
import type { Block, PageLink, SitePage } from "../../pages/blocks.ts";
import { paperHref } from "../../pages/paper.ts";
import { runsOf } from "../../judge/tables.ts";
import type { ArmTitle, Paper } from "../../../catalog/paper.ts";
import { blocksHtml } from "./block_html.ts";
import { escaped } from "../figures/drawing.ts";
import { runHref, runPageBlocks } from "../../pages/run.ts";
import { runIndexBlocks } from "../../pages/runs.ts";
import { fileOf, type ReportFile } from "../data.ts";
import SCRIPT from "./site.js" with { type: "text" };
import STYLE from "./style.css" with { type: "text" };

/** A paper with its finished pages, its main one among them. */
export interface PaperPages {
  readonly page: Paper<ArmTitle>;
  readonly pages: readonly SitePage[];
}

/** Everything that the site shows. */
export interface SiteInput {
  readonly overview: readonly Block[];
  readonly papers: readonly PaperPages[];
  /** Further pages, such as the claims, after those of the papers. */
  readonly extras: readonly SitePage[];
  readonly records: readonly RunRecord[];
}

const OVERVIEW: PageLink = { href: "index.html", title: "Overview" };
const RUNS: PageLink = { href: "runs/index.html", title: "Runs" };

/** All files of the site, relative to its root. */
export function siteFiles({ overview, papers, extras, records }: SiteInput): ReportFile[] {
  const runs = latestById(records);
  const links: readonly PageLink[] = [
    OVERVIEW,
    ...papers.map(({ page }) => ({ href: paperHref(page.id), title: shortTitle(page) })),
    ...extras,
    RUNS,
  ];
  const frame = (title: string, current: string) => ({ title, links, current, root: "" as const });
  return [
    fileOf(OVERVIEW.href, () => pageHtml(overview, frame("Requant: overview", OVERVIEW.href))),
    ...papers.flatMap(({ page, pages }) =>
      pages.map(({ href, title, blocks }) => fileOf(href, () => pageHtml(blocks, frame(title, paperHref(page.id)))))
    ),
    ...extras.map(({ href, title, blocks }) =>
      fileOf(href, () => pageHtml(blocks, frame(`Requant: ${title.toLowerCase()}`, href)))
    ),
    ...runFiles(runs, { pages: papers.map(({ page }) => page), links }),
    { path: "style.css", text: STYLE },
    { path: "site.js", text: SCRIPT },
  ];
}

/** Each run once, by id; of a run and its repetition the later. */
function latestById(records: readonly RunRecord[]): RunRecord[] {
  const byId = new Map<string, RunRecord>();
  for (const record of records) {
    const other = byId.get(record.id);
    if (other === undefined || other.startedAt < record.startedAt) byId.set(record.id, record);
  }
  return [...byId.values()].sort((a, b) => a.id < b.id ? -1 : 1);
}

function runFiles(
  runs: readonly RunRecord[],
  { pages, links }: { readonly pages: readonly Paper<ArmTitle>[]; readonly links: readonly PageLink[] },
): ReportFile[] {
  const ids = new Set(runs.map(({ id }) => id));
  const titles = armTitles(pages);
  const titleOf = ({ spec }: RunRecord) => titles.get(spec.arm) ?? spec.arm;
  const places = new Map<RunRecord, Paper<ArmTitle>[]>();
  for (const page of pages) {
    for (const run of runsOf(page, runs)) places.set(run, [...(places.get(run) ?? []), page]);
  }
  const papersOf = (run: RunRecord) => places.get(run) ?? [];
  const ofRuns = { links, current: RUNS.href, root: "../" as const };
  return [
    fileOf(
      RUNS.href,
      () => pageHtml(runIndexBlocks(runs, { titleOf, papersOf }), { ...ofRuns, title: "Requant: runs" }),
    ),
    ...runs.map((run) =>
      fileOf(runHref(run.id), () => {
        const blocks = runPageBlocks(run, {
          armTitle: titleOf(run),
          teacherHasPage: run.spec.teacher !== null && ids.has(run.spec.teacher),
          papers: papersOf(run).map(({ id, title }) => ({ text: title, href: paperHref(id) })),
        });
        return pageHtml(blocks, { ...ofRuns, title: `Run ${run.id}` });
      })
    ),
  ];
}

function armTitles(pages: readonly Paper<ArmTitle>[]): Map<string, string> {
  const titles = new Map<string, string>();
  for (const arm of pages.flatMap(({ arms }) => arms)) {
    if (!titles.has(arm.id)) titles.set(arm.id, armTitle({ arm }));
  }
  return titles;
}

/** Everything around a page's blocks. */
interface Frame {
  readonly title: string;
  readonly links: readonly PageLink[];
  /** The link of this page, or of the page that it belongs to. */
  readonly current: string;
  /** From the page to the site's root: empty, or `../`. */
  readonly root: "" | "../";
}

/**
 * A page of the site: nothing is fetched from elsewhere, one style sheet and one script lie beside it, and without the
 * script only sorting and filtering are missing.
 */
function pageHtml(blocks: readonly Block[], { title, links, current, root }: Frame): string {
  const navigation = links.map(({ href, title }) =>
    `<a href="${root}${escaped(href)}"${href === current ? ' aria-current="page"' : ""}>${escaped(title)}</a>`
  ).join("\n");
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escaped(title)}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="${root}style.css">
<script src="${root}site.js" defer></script>
</head>
<body>
<a class="skip" href="#content">Skip to the content</a>
<header><nav aria-label="Pages">
${navigation}
</nav></header>
<main id="content" tabindex="-1">
${blocksHtml(blocks, root)}
</main>
</body>
</html>
`;
}
