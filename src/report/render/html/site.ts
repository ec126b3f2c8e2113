/** The static site: an overview, a page a paper, a page a run; linked, and whole without a network. */
import type { RunRecord } from "../../../record/record.ts";
import type { Block } from "../../pages/blocks.ts";
import { paperHref } from "../../pages/paper.ts";
import { armTitle } from "../../pages/results.ts";
import { runsOf } from "../../judge/tables.ts";
import type { ArmTitle, Paper } from "../../../catalog/paper.ts";
import { anchor, blockHtml } from "./block_html.ts";
import { escaped } from "../figures/drawing.ts";
import { runHref, runPageBlocks } from "../../pages/run.ts";
import { runIndexBlocks } from "../../pages/runs.ts";
import { fileOf, type ReportFile } from "../data.ts";
import SCRIPT from "./site.js" with { type: "text" };
import STYLE from "./style.css" with { type: "text" };

/** A link of the site's navigation; `href` is relative to the root of the site. */
export interface SiteLink {
  readonly href: string;
  readonly title: string;
}

/** A finished page of a paper. */
export interface PaperBlocks {
  readonly page: Paper<ArmTitle>;
  readonly blocks: readonly Block[];
}

/** Everything that the site shows. */
export interface SiteInput {
  readonly overview: readonly Block[];
  readonly papers: readonly PaperBlocks[];
  /** Further pages, such as the claims, after those of the papers. */
  readonly extras: readonly { readonly link: SiteLink; readonly blocks: readonly Block[] }[];
  readonly records: readonly RunRecord[];
}

const OVERVIEW: SiteLink = { href: "index.html", title: "Overview" };
const RUNS: SiteLink = { href: "runs/index.html", title: "Runs" };

/** All files of the site, relative to its root. */
export function siteFiles({ overview, papers, extras, records }: SiteInput): ReportFile[] {
  const runs = latestById(records);
  const links: readonly SiteLink[] = [
    OVERVIEW,
    ...papers.map(({ page }) => ({ href: paperHref(page.id), title: page.id.toUpperCase() })),
    ...extras.map(({ link }) => link),
    RUNS,
  ];
  const frame = (title: string, current: string) => ({ title, links, current, root: "" as const });
  return [
    fileOf(OVERVIEW.href, () => pageHtml(overview, frame("Requant: overview", OVERVIEW.href))),
    ...papers.map(({ page, blocks }) =>
      fileOf(paperHref(page.id), () => pageHtml(blocks, frame(page.title, paperHref(page.id))))
    ),
    ...extras.map(({ link, blocks }) =>
      fileOf(link.href, () => pageHtml(blocks, frame(`Requant: ${link.title.toLowerCase()}`, link.href)))
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
  { pages, links }: { readonly pages: readonly Paper<ArmTitle>[]; readonly links: readonly SiteLink[] },
): ReportFile[] {
  const ids = new Set(runs.map(({ id }) => id));
  const titles = armTitles(pages);
  const titleOf = ({ spec }: RunRecord) => titles.get(spec.arm) ?? spec.arm;
  const papersOf = new Map<RunRecord, Paper<ArmTitle>[]>();
  for (const page of pages) {
    for (const run of runsOf(page, runs)) papersOf.set(run, [...(papersOf.get(run) ?? []), page]);
  }
  const ofRuns = { links, current: RUNS.href, root: "../" as const };
  return [
    fileOf(RUNS.href, () => pageHtml(runIndexBlocks(runs, titleOf), { ...ofRuns, title: "Requant: runs" })),
    ...runs.map((run) =>
      fileOf(runHref(run.id), () => {
        const blocks = runPageBlocks(run, {
          armTitle: titleOf(run),
          teacherHasPage: run.spec.teacher !== null && ids.has(run.spec.teacher),
          papers: (papersOf.get(run) ?? []).map(({ id, title }) => ({ text: title, href: paperHref(id) })),
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
  readonly links: readonly SiteLink[];
  /** The link of this page, or of the page that it belongs to. */
  readonly current: string;
  /** From the page to the site's root: empty, or `../`. */
  readonly root: "" | "../";
}

/**
 * A page of the site: nothing is fetched from elsewhere, one style sheet and one script lie beside it, and without the
 * script only sorting and filtering are missing.
 */
function framed(body: string, { title, links, current, root }: Frame): string {
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
${body}
</main>
</body>
</html>
`;
}

/** From this many sections on, a page has a list of them. */
const CONTENTS_FROM = 4;

/** Links to the sections; none where there are few. */
function contents(blocks: readonly Block[]): string[] {
  const titles = blocks.flatMap((part) => part.kind === "heading" && part.level === 2 ? [part.text] : []);
  if (titles.length < CONTENTS_FROM) return [];
  const items = titles.map((title) => `<li><a href="#${anchor(title)}">${escaped(title)}</a></li>`);
  return [`<nav aria-label="On this page" class="contents"><ul>\n${items.join("\n")}\n</ul></nav>`];
}

/** Blocks as a page of the site; figures that follow each other stand side by side where there is room. */
function pageHtml(blocks: readonly Block[], frame: Frame): string {
  const list = contents(blocks);
  const parts = blocks.flatMap((part, index) => {
    const html = blockHtml(part, frame.root);
    if (part.kind === "heading" && part.level === 1) return [html, ...list];
    if (part.kind !== "figure") return html;
    const opening = blocks[index - 1]?.kind === "figure" ? "" : '<div class="figures">\n';
    return opening + html + (blocks[index + 1]?.kind === "figure" ? "" : "\n</div>");
  });
  return framed(parts.join("\n"), frame);
}
