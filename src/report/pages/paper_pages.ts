import { protocolTitle } from "../../catalog/protocol.ts";
import { counted, verdictTitle } from "../labels.ts";
import type { ReportRow, ReportSection } from "../judge/tables.ts";
import { type Block, firstRows, folded, heading, paragraph, parted, type SitePage, words } from "./blocks.ts";
import { LEGEND, type PageInput, paperHref } from "./paper.ts";
import { COMPARED } from "./results.ts";

/**
 * A paper's pages of the site: on the first the answer in one screen and the rest folded; then its smoke runs, which say
 * nothing about it, and one page per measurement.
 *
 * @param blocks All of the paper's.
 */
export function paperPages({ page, sections }: PageInput, blocks: readonly Block[]): SitePage[] {
  const { rest, pages } = parted(blocks);
  const published = rest.find((block) => block.kind === "figure");
  const plot = published ?? pages.flatMap(({ blocks }) => blocks).find(({ kind }) => kind === "figure");
  const others = rest.filter((block) => block !== plot && !(block.kind === "paragraph" && block.text === LEGEND));
  const start = others.findIndex((block) => block.kind === "heading" && block.level === 2);
  const screen: Block[] = [
    ...others.slice(0, start),
    ...publishedBlocks(sections),
    ...(plot ? [plot] : []),
    { kind: "links", items: pages.map(({ href, title }) => ({ href, text: title })) },
    ...folded([heading(2, "How to read the tables"), paragraph(LEGEND), ...others.slice(start)]),
  ];
  return [{ href: paperHref(page.id), title: page.title, blocks: screen }, ...pages];
}

/** The cells with a published number and runs of ours, or that there are none. */
function publishedBlocks(sections: readonly ReportSection[]): Block[] {
  const protocols = new Map(
    sections.flatMap(({ protocol, tables }) =>
      tables.flatMap(({ rows }) => rows.map((row) => [row, protocol] as const))
    ),
  );
  const known = [...protocols].filter(([{ published }, protocol]) =>
    protocol !== "smoke" && published?.top1Percent != null
  ).map(([row]) => row);
  const ran = known.filter(({ n }) => n > 0), cells = counted(known.length, "published cell");
  const verdict = words<ReportRow>("Verdict", ({ verdict: { name } }) => ({ text: verdictTitle(name), verdict: name }));
  // a shorter protocol's number must not look like the paper's recipe
  const protocol = words<ReportRow>("Protocol", (row) => protocolTitle(protocols.get(row)!));
  if (ran.length > 0) return [firstRows("Cells, published against ours", ran, [...COMPARED, protocol, verdict])];
  if (known.length === 0) return [];
  return [paragraph(`${cells}, and no run of one on its own model and protocol.`)];
}
