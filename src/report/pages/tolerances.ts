import type { ArmTitle, Paper } from "../../catalog/paper.ts";
import type { ToleranceResult } from "../judge/tolerances.ts";
import { type Block, heading, paragraph } from "./blocks.ts";
import { formatBits } from "../../catalog/bits.ts";
import { modelTitle, points } from "../labels.ts";
import { armOf } from "../judge/rows.ts";

/** The tolerances of a page with what our runs say of them; nothing where it has none. */
export function toleranceBlocks(page: Paper<ArmTitle>, results: readonly ToleranceResult[]): Block[] {
  if (results.length === 0) return [];
  return [
    heading(2, "Tolerances"),
    paragraph(
      "Ranges that were fixed before the first run. The mean over our seeds must lie inside; that of a control must lie " +
        "outside, or the tolerance could not fail. A gap is the accuracy below the full precision that a run started from.",
    ),
    {
      kind: "table",
      caption: `${page.id.toUpperCase()}: tolerances, top-1 in percent and gaps in points`,
      columns: [
        { title: "Method", align: "left", names: true },
        { title: "Model", align: "left" },
        { title: "Bits", align: "left" },
        { title: "Protocol", align: "left" },
        { title: "Quantity", align: "left" },
        { title: "Range", align: "left" },
        { title: "Must be", align: "left" },
        { title: "Ours, mean (n)", align: "right" },
        { title: "By seed", align: "left" },
        { title: "Is", align: "left" },
        { title: "Result", align: "left" },
        { title: "Range from", align: "left" },
      ],
      rows: results.map(({ tolerance, values, mean, place, holds }) => [
        armOf(page, tolerance.arm).title,
        modelTitle(tolerance.model),
        tolerance.bits === null ? "FP" : formatBits(tolerance.bits),
        tolerance.protocol,
        tolerance.quantity === "top1" ? "top-1" : "gap to own FP",
        tolerance.least === null
          ? `at most ${points(tolerance.most)}`
          : `${points(tolerance.least)} to ${points(tolerance.most)}`,
        tolerance.inside ? "inside" : "outside",
        mean === null ? "" : `${points(mean)} (${values.length})`,
        values.map(({ seed, value }) => `${seed}: ${points(value)}`).join(", "),
        place,
        holds === null ? "not run" : holds ? "holds" : "missed",
        tolerance.source,
      ]),
    },
  ];
}
