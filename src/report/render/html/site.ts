/** The static site: an overview, a page a paper, a page a run; linked, and whole without a network. */
import type { RunRecord } from "../../../record/record.ts";
import { cellKey } from "../../judge/aggregate.ts";
import { type Block, heading, paragraph, type TableCell } from "../../pages/blocks.ts";
import { bitsTitle, counted, datasetTitle, modelTitle, points } from "../../labels.ts";
import { armTitle } from "../../pages/result_table.ts";
import { runsOf } from "../../judge/tables.ts";
import type { PaperPage } from "../../../catalog/paper.ts";
import { pageHtml, type SiteLink } from "./frame.ts";
import { runHref, runPageBlocks } from "../../pages/run.ts";
import SCRIPT from "./site.js" with { type: "text" };
import STYLE from "./style.css" with { type: "text" };

/** A finished page of a paper. */
export interface PaperBlocks {
  readonly page: PaperPage;
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

/** Where the page of a paper lies, relative to the root of the site. */
export function paperHref(id: string): string {
  return `${id}.html`;
}

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
  { pages, links }: { readonly pages: readonly PaperPage[]; readonly links: readonly SiteLink[] },
): { path: string; text: string }[] {
  const ids = new Set(runs.map(({ id }) => id));
  const titles = armTitles(pages);
  const titleOf = ({ spec }: RunRecord) => titles.get(spec.arm) ?? spec.arm;
  const papersOf = new Map<RunRecord, PaperPage[]>();
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

function armTitles(pages: readonly PaperPage[]): Map<string, string> {
  const titles = new Map<string, string>();
  for (const arm of pages.flatMap(({ arms }) => arms)) {
    if (!titles.has(arm.id)) titles.set(arm.id, armTitle({ arm }));
  }
  return titles;
}

function runIndexBlocks(runs: readonly RunRecord[], titleOf: (run: RunRecord) => string): Block[] {
  return [
    heading(1, "Runs"),
    paragraph(
      `${
        counted(runs.length, "run")
      } with a record, those on held-out images (which choose hyper-parameters) and those ` +
        "that did not finish among them. Each has a page with its spec, environment and curve.",
    ),
    {
      kind: "table",
      caption: "All runs",
      columns: [
        { title: "Run", align: "left", names: true },
        { title: "Protocol", align: "left" },
        { title: "Method", align: "left" },
        { title: "Data set", align: "left" },
        { title: "Model", align: "left" },
        { title: "Bits", align: "left" },
        { title: "Seed", align: "right" },
        { title: "Images", align: "left" },
        { title: "Top-1", align: "right" },
        { title: "Status", align: "left" },
        { title: "Engine", align: "left" },
      ],
      rows: runs.map((run): TableCell[] => [
        { text: run.id, href: runHref(run.id) },
        run.spec.protocol,
        titleOf(run),
        datasetTitle(run.spec.dataset.name),
        modelTitle(run.spec.model),
        bitsTitle(cellKey(run.spec)),
        String(run.spec.seed),
        run.spec.dataset.evaluateOn === "test" ? "test" : "held out",
        run.metrics === null ? "" : points(run.metrics["top1Percent"]!),
        run.status,
        run.spec.engine,
      ]),
    },
  ];
}
