/** The static site: an overview, a page a paper, a page a run; linked, and whole without a network. */
import type { RunRecord } from "../../../record/record.ts";
import type { Block } from "../../pages/blocks.ts";
import { paperHref } from "../../pages/paper.ts";
import { armTitle } from "../../pages/results.ts";
import { runsOf } from "../../judge/tables.ts";
import type { ArmTitle, Paper } from "../../../catalog/paper.ts";
import { pageHtml, type SiteLink } from "./frame.ts";
import { runHref, runPageBlocks } from "../../pages/run.ts";
import { runIndexBlocks } from "../../pages/runs.ts";
import SCRIPT from "./site.js" with { type: "text" };
import STYLE from "./style.css" with { type: "text" };

/** A finished page of a paper. */
export interface PaperBlocks {
  readonly page: Paper<ArmTitle>;
  readonly blocks: readonly Block[];
}

/** What the site shows. */
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
export function siteFiles({ overview, papers, extras, records }: SiteInput): { path: string; text: string }[] {
  const runs = latestById(records);
  const links: readonly SiteLink[] = [
    OVERVIEW,
    ...papers.map(({ page }) => ({ href: paperHref(page.id), title: page.id.toUpperCase() })),
    ...extras.map(({ link }) => link),
    RUNS,
  ];
  const frame = (title: string, current: string) => ({ title, links, current, root: "" as const });
  return [
    { path: OVERVIEW.href, text: pageHtml(overview, frame("Requant: overview", OVERVIEW.href)) },
    ...papers.map(({ page, blocks }) => ({
      path: paperHref(page.id),
      text: pageHtml(blocks, frame(page.title, paperHref(page.id))),
    })),
    ...extras.map(({ link, blocks }) => ({
      path: link.href,
      text: pageHtml(blocks, frame(`Requant: ${link.title.toLowerCase()}`, link.href)),
    })),
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
): { path: string; text: string }[] {
  const ids = new Set(runs.map(({ id }) => id));
  const titles = armTitles(pages);
  const titleOf = ({ spec }: RunRecord) => titles.get(spec.arm) ?? spec.arm;
  const papersOf = new Map<RunRecord, Paper<ArmTitle>[]>();
  for (const page of pages) {
    for (const run of runsOf(page, runs)) papersOf.set(run, [...(papersOf.get(run) ?? []), page]);
  }
  const ofRuns = { links, current: RUNS.href, root: "../" as const };
  return [
    { path: RUNS.href, text: pageHtml(runIndexBlocks(runs, titleOf), { ...ofRuns, title: "Requant: runs" }) },
    // a page is made when it is asked for: thousands of them together would fill the memory
    ...runs.map((run) => ({
      path: runHref(run.id),
      get text() {
        const blocks = runPageBlocks(run, {
          armTitle: titleOf(run),
          teacherHasPage: run.spec.teacher !== null && ids.has(run.spec.teacher),
          papers: (papersOf.get(run) ?? []).map(({ id, title }) => ({ text: title, href: paperHref(id) })),
        });
        return pageHtml(blocks, { ...ofRuns, title: `Run ${run.id}` });
      },
    })),
  ];
}

function armTitles(pages: readonly Paper<ArmTitle>[]): Map<string, string> {
  const titles = new Map<string, string>();
  for (const arm of pages.flatMap(({ arms }) => arms)) {
    if (!titles.has(arm.id)) titles.set(arm.id, armTitle({ arm }));
  }
  return titles;
}
