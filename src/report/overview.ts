import { type Block, type Column, heading, paragraph } from "./blocks.ts";
import { verdictTitle } from "./labels.ts";
import type { ReportSection } from "./tables.ts";
import type { PaperPage } from "./types.ts";
import { VERDICTS } from "./verdict.ts";

/** A page with its sections. */
export interface PaperSections {
  readonly page: PaperPage;
  readonly sections: readonly ReportSection[];
}

/** The site's first page: how many cells of each paper and protocol have which verdict. */
export function overviewBlocks(papers: readonly PaperSections[]): Block[] {
  return [
    heading(1, "Requant: what was reproduced"),
    paragraph(
      "Quantization-aware training papers, run again: published numbers beside numbers from records. Protocol paper is the " +
        "paper's own recipe, reduced a small form of it on real images, smoke a proof that the plumbing works.",
    ),
    {
      kind: "table",
      caption: "Cells by verdict",
      columns: [
        { title: "Paper", align: "left", names: true },
        { title: "Protocol", align: "left" },
        { title: "Runs", align: "right" },
        ...VERDICTS.map((name): Column => ({ title: capitalised(verdictTitle(name)), align: "right" })),
      ],
      rows: papers.flatMap(({ page, sections }) =>
        sections.map(({ protocol, tables, runs }) => {
          const verdicts = tables.flatMap(({ rows }) => rows.map(({ verdict }) => verdict.name));
          return [
            page.title,
            protocol,
            String(runs.length),
            ...VERDICTS.map((name) => {
              const count = verdicts.filter((verdict) => verdict === name).length;
              return count === 0 ? "" : { text: String(count), verdict: name };
            }),
          ];
        })
      ),
    },
    ...papers.flatMap(({ page }): Block[] => page.caveat === null ? [] : [paragraph(`${page.title}: ${page.caveat}`)]),
  ];
}

function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
