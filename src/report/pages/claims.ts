/** Claims as blocks: each with its verdict and reason, then what every protocol, model and width says of it. */
import { type Block, heading, paragraph, type TableCell } from "./blocks.ts";
import { type ClaimEvidence, type ClaimResult, numberText, OWN_FP } from "../judge/claims.ts";
import { differenceWords } from "../judge/decision.ts";
import { bitsTitle, counted, modelTitle, verdictTitle } from "../labels.ts";
import { armTitle } from "./result_table.ts";
import { armOf } from "../judge/rows.ts";
import type { Claim, PaperPage } from "../../catalog/paper.ts";

const LEGEND =
  "Each claim is tested on differences of runs of the same seed, by the t 95 % interval. A size is compared only under " +
  "protocol paper on the paper's model; under other protocols only the direction is tested, which says that it holds, fails " +
  "or is undecided for that model and budget, and no more.";

/** The claims of a page; nothing where it has none. */
export function claimBlocks(page: PaperPage, results: readonly ClaimResult[]): Block[] {
  if (results.length === 0) return [];
  return [heading(2, "Claims"), paragraph(LEGEND), ...claimTables(page, results)];
}

/** All claims of all papers. */
export function claimsPageBlocks(
  papers: readonly { readonly page: PaperPage; readonly claims: readonly ClaimResult[] }[],
): Block[] {
  return [
    heading(1, "Claims of the papers"),
    paragraph(LEGEND),
    ...papers.filter(({ claims }) => claims.length > 0).flatMap(({ page, claims }) => [
      heading(2, page.title),
      ...(page.caveat === null ? [] : [paragraph(page.caveat)]),
      ...claimTables(page, claims),
    ]),
  ];
}

function claimTables(page: PaperPage, results: readonly ClaimResult[]): Block[] {
  const lines = results.flatMap(({ claim, evidence }) => evidence.map((item) => ({ claim, item })));
  return [
    {
      kind: "table",
      caption: `${page.id.toUpperCase()}: ${counted(results.length, "claim")} and their verdicts`,
      columns: [
        { title: "Claim", align: "left", names: true },
        { title: "Source", align: "left" },
        { title: "Verdict", align: "left" },
        { title: "Reason", align: "left" },
      ],
      rows: results.map(({ claim, verdict }) => [
        claim.statement,
        claim.source,
        { text: verdictTitle(verdict.name), verdict: verdict.name },
        verdict.reason,
      ]),
    },
    ...(lines.length === 0 ? [] : [evidenceTable(page, lines)]),
  ];
}

function evidenceTable(
  page: PaperPage,
  lines: readonly { readonly claim: Claim; readonly item: ClaimEvidence }[],
): Block {
  return {
    kind: "table",
    caption: `${page.id.toUpperCase()}: the evidence, a row a protocol, model and width`,
    aside: true,
    columns: [
      { title: "Claim", align: "left", names: true },
      { title: "Compared", align: "left" },
      { title: "Protocol", align: "left" },
      { title: "Model", align: "left" },
      { title: "Bits", align: "left" },
      { title: "Common seeds", align: "right" },
      { title: "Published", align: "right" },
      { title: "Ours [95 %]", align: "right" },
      { title: "Direction", align: "left" },
    ],
    rows: lines.map(({ claim, item }): TableCell[] => [
      claim.id,
      comparedText(page, claim),
      item.protocol,
      modelTitle(item.model),
      bitsTitle(item),
      String(item.difference?.n ?? 0),
      claim.published === null ? "" : numberText(claim)(claim.published),
      item.difference === null ? "" : differenceWords(item.difference, numberText(claim)),
      item.isSmaller ? `${item.direction}, smaller` : item.direction,
    ]),
  };
}

function comparedText(page: PaperPage, { arm, baseline, quantity }: Claim): string {
  const other = baseline === OWN_FP ? "own full precision" : armTitle({ arm: armOf(page, baseline) });
  const what = quantity.kind === "top1" ? "top-1" : quantity.quantity;
  return `${what}: ${armTitle({ arm: armOf(page, arm) })} less ${other}`;
}
