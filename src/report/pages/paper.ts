import type { Measurement } from "../../record/measurement.ts";
import type { ProtocolName } from "../../record/spec.ts";
import type { Aggregate } from "../judge/aggregate.ts";
import { type Block, heading, listSection, paragraph } from "./blocks.ts";
import type { ClaimResult } from "../judge/claims.ts";
import { claimBlocks } from "./claims.ts";
import { figureBlocks, runsByCell } from "./figure_blocks.ts";
import { measurementBlocks } from "./measurement_blocks.ts";
import { importedBlocks } from "./imported.ts";
import type { ImportedSection } from "../judge/imported_sections.ts";
import { bitsTitle, datasetTitle, modelTitle, signed, verdictTitle } from "../labels.ts";
import { leftOutItems } from "./left_out.ts";
import { armTitle, resultBlocks } from "./result_table.ts";
import { environmentBlocks, failureBlocks, runBlocks } from "./run_tables.ts";
import { statisticsBlocks } from "./statistics.ts";
import type { ReportSection } from "../judge/tables.ts";
import type { PaperPage } from "../../catalog/paper.ts";
import { VERDICT_RULES } from "../judge/verdict.ts";

const SMOKE_BANNER = "Smoke protocol: this page proves that the plumbing works and says nothing about the paper.";
const SMOKE_SECTION_BANNER =
  "Smoke protocol: this section proves that the plumbing works and says nothing about the paper.";

const LEGEND =
  "All numbers are top-1 accuracy in percent on the test images; reproduced ones are of the last epoch, mean ± sample " +
  "standard deviation over n seeds. Differences are in points and paired by seed: to our LSQ run of the same seed, and to " +
  "the full-precision run (FP) that the run started from. Intervals of differences are t intervals (95 %), which keep what " +
  "they promise for few seeds; bootstrap intervals stand beside them and are too short there (docs/reproducibility.md).";

/** What a page is made from. */
export interface PageInput {
  readonly page: PaperPage;
  readonly sections: readonly ReportSection[];
  readonly aggregate: Aggregate;
  readonly deviations: Readonly<Record<string, readonly string[]>>;
  /** Of all runs; those of the page's tables are shown. */
  readonly measurements: readonly Measurement[];
  /** The page's claims with their evidence. */
  readonly claims: readonly ClaimResult[];
  /** Cells of other tools. */
  readonly imported: readonly ImportedSection[];
}

/** A paper's page. A page whose only runs are of the smoke protocol says so in its first line. */
export function pageBlocks(
  { page, sections, aggregate, deviations, measurements, imported, claims }: PageInput,
): Block[] {
  const ran = sections.filter(({ runs }) => runs.length > 0);
  const isSmokeOnly = ran.length > 0 && ran.every(({ protocol }) => protocol === "smoke");
  return [
    ...(isSmokeOnly ? [{ kind: "banner", text: SMOKE_BANNER } satisfies Block] : []),
    heading(1, page.title),
    paragraph(`${page.citation}. ${page.arxiv}.`),
    ...(page.caveat === null ? [] : [{ kind: "banner", text: page.caveat } satisfies Block]),
    paragraph(LEGEND),
    ...sections.flatMap((section) => sectionBlocks(section, { page, deviations, isSmokeOnly })),
    ...claimBlocks(page, claims),
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
        ...(ran.length > 0 ? ran : sections).map(({ protocol }) =>
          `deno task bench --paper ${page.id} --protocol ${protocol}`
        ),
        `deno task report --paper ${page.id}`,
      ],
    },
  ];
}

interface SectionContext {
  readonly page: PaperPage;
  readonly deviations: PageInput["deviations"];
  readonly isSmokeOnly: boolean;
}

function sectionBlocks(
  { protocol, tables, runs }: ReportSection,
  { page, deviations, isSmokeOnly }: SectionContext,
): Block[] {
  const armTitleOf = (id: string) => {
    const arm = page.arms.find((arm) => arm.id === id);
    return arm ? armTitle({ arm }) : id;
  };
  const runsOfCells = runsByCell({ runs });
  const results = tables.flatMap((table): Block[] => [
    ...resultBlocks(table),
    ...statisticsBlocks(table),
    ...figureBlocks(table, { runs: runsOfCells, idPrefix: protocol }),
  ]);
  return [
    heading(2, sectionTitle(protocol, runs.length)),
    ...(protocol === "smoke" && !isSmokeOnly ? [{ kind: "banner", text: SMOKE_SECTION_BANNER } satisfies Block] : []),
    ...(results.length > 0 ? results : [paragraph("No published number and no run.")]),
    ...failureBlocks(runs, armTitleOf),
    ...(runs.length === 0
      ? []
      : listSection(heading(3, `Deviations of protocol ${protocol}`), { items: deviations[protocol] ?? [] })),
    ...runBlocks(runs, armTitleOf),
    ...environmentBlocks(runs),
  ];
}

function sectionTitle(protocol: ProtocolName, runs: number): string {
  return runs === 0 ? `Protocol ${protocol}: not run` : `Protocol ${protocol}`;
}

function publishedDifferenceBlocks(page: PaperPage): Block[] {
  if (page.publishedDifferences.length === 0) return [];
  return [heading(2, "Published differences"), {
    kind: "table",
    caption: "Differences that the paper states without the numbers they are made of",
    columns: [
      { title: "Data set", align: "left" },
      { title: "Model", align: "left", names: true },
      { title: "Bits", align: "left" },
      { title: "Baseline", align: "left" },
      { title: "Published difference", align: "right" },
      { title: "Source", align: "left" },
      { title: "Verdict", align: "left" },
      { title: "Because", align: "left" },
    ],
    rows: page.publishedDifferences.map((item) => [
      datasetTitle(item.dataset),
      modelTitle(item.model),
      item.weightBits === null ? "unknown" : bitsTitle(item),
      item.baseline ?? "unknown",
      signed(item.differencePoints),
      item.source,
      { text: verdictTitle("not_comparable"), verdict: "not_comparable" },
      item.reason ?? "",
    ]),
  }];
}
