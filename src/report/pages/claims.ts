/** Claims as blocks: each with its verdict and reason, then what every protocol, model and width says of it. */
import { type Block, firstRows, heading, naming, numbers, paragraph, tableOf, words } from "./blocks.ts";
import { type ClaimEvidence, type ClaimResult, numberText, OWN_FP } from "../judge/claims.ts";
import { differenceWords } from "../judge/decision.ts";
import { bitsTitle } from "../../catalog/bits.ts";
import { armTitle, modelTitle, shortTitle } from "../../catalog/titles.ts";
import { counted, verdictTitle } from "../labels.ts";
import { armOf } from "../judge/rows.ts";
import type { ArmTitle, Claim, Paper } from "../../catalog/paper.ts";
import { protocolTitle } from "../../catalog/protocol.ts";

const LEGEND =
  "Each claim is tested on differences of runs of the same seed, by the t 95 % interval. A size is compared only under " +
  "protocol paper on the paper's model; under protocols full and reduced only the direction is tested, which says that it " +
  "holds, fails or is undecided for that model and budget, and no more. Protocol smoke tests the software and never counts.";

/** The claims of a page; nothing where it has none. */
export function claimBlocks(page: Paper<ArmTitle>, results: readonly ClaimResult[]): Block[] {
  if (results.length === 0) return [];
  return [heading(2, "Claims"), paragraph(LEGEND), ...claimTables(page, results)];
}

/** The claims' verdicts in a sentence, and those that runs speak of, published against ours. */
export function claimSummary(results: readonly ClaimResult[]): Block[] {
  if (results.length === 0) return [];
  const verdicts = [...Map.groupBy(results, ({ verdict }) => verdict.name)].map(([name, { length }]) =>
    `${length} ${verdictTitle(name)}`
  );
  const lines = results.flatMap((result) => result.evidence.slice(0, 1).map((item) => ({ ...result, item })));
  const table = firstRows("Claims, published against ours", lines, [
    naming("Claim", ({ claim }) => claim.statement),
    numbers("Published", ({ claim }) => claim.published === null ? "direction" : numberText(claim)(claim.published)),
    numbers("Ours [95 %]", oursText),
    words(
      "Ours is of",
      ({ item }) =>
        `${protocolTitle(item.protocol)}, ${modelTitle(item.model)}, ${bitsTitle(item)}, n = ${
          item.difference?.n ?? 0
        }`,
    ),
    words("Direction", ({ item }) => item.direction),
    words("Verdict", ({ verdict: { name } }) => ({ text: verdictTitle(name), verdict: name })),
  ]);
  return [
    paragraph(`${counted(results.length, "claim")}: ${verdicts.join(", ")}.`),
    ...(lines.length === 0 ? [] : [table]),
  ];
}

function oursText({ claim, item: { difference } }: { readonly claim: Claim; readonly item: ClaimEvidence }): string {
  return difference === null ? "" : differenceWords(difference, numberText(claim));
}

/** All claims of all papers. */
export function claimsPageBlocks(
  papers: readonly { readonly page: Paper<ArmTitle>; readonly claims: readonly ClaimResult[] }[],
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

function claimTables(page: Paper<ArmTitle>, results: readonly ClaimResult[]): Block[] {
  const lines = results.flatMap(({ claim, evidence }) => evidence.map((item) => ({ claim, item })));
  return [
    tableOf(`${shortTitle(page)}: ${counted(results.length, "claim")} and their verdicts`, results, {
      fields: [
        naming("Claim", ({ claim }) => claim.statement),
        words("Source", ({ claim }) => claim.source),
        words("Verdict", ({ verdict: { name } }) => ({ text: verdictTitle(name), verdict: name })),
        words("Reason", ({ verdict }) => verdict.reason),
      ],
    }),
    ...(lines.length === 0 ? [] : [evidenceTable(page, lines)]),
  ];
}

function evidenceTable(
  page: Paper<ArmTitle>,
  lines: readonly { readonly claim: Claim; readonly item: ClaimEvidence }[],
): Block {
  return tableOf(`${shortTitle(page)}: the evidence, one row per protocol, model and width`, lines, {
    aside: true,
    fields: [
      naming("Claim", ({ claim }) => claim.id),
      words("Compared", ({ claim }) => comparedText(page, claim)),
      words("Protocol", ({ item }) => protocolTitle(item.protocol)),
      words("Model", ({ item }) => modelTitle(item.model)),
      words("Bits", ({ item }) => bitsTitle(item)),
      numbers("Common seeds", ({ item }) => String(item.difference?.n ?? 0)),
      numbers("Published", ({ claim }) => claim.published === null ? "" : numberText(claim)(claim.published)),
      numbers("Ours [95 %]", oursText),
      words("Direction", ({ item }) => item.isSmaller ? `${item.direction}, smaller` : item.direction),
    ],
  });
}

function comparedText(page: Paper<ArmTitle>, { arm, baseline, quantity }: Claim): string {
  const other = baseline === OWN_FP ? "own full precision" : armTitle({ arm: armOf(page, baseline) });
  const what = quantity.kind === "top1" ? "top-1" : quantity.quantity;
  return `${what}: ${armTitle({ arm: armOf(page, arm) })} less ${other}`;
}
