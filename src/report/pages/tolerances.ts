import { formatBits } from "../../catalog/bits.ts";
import type { ArmTitle, Paper } from "../../catalog/paper.ts";
import { modelTitle, shortTitle } from "../../catalog/titles.ts";
import type { ToleranceResult } from "../judge/tolerances.ts";
import { armOf } from "../judge/rows.ts";
import { points } from "../labels.ts";
import { type Block, heading, naming, numbers, paragraph, tableOf, words } from "./blocks.ts";
import { protocolTitle } from "../../catalog/protocol.ts";

/** The tolerances of a page with what our runs say of them; nothing where it has none. */
export function toleranceBlocks(page: Paper<ArmTitle>, results: readonly ToleranceResult[]): Block[] {
  if (results.length === 0) return [];
  return [
    heading(2, "Tolerances"),
    paragraph(
      "Ranges that were fixed before the first run. The mean over our seeds must lie inside; that of a control must lie " +
        "outside, or the tolerance could not fail. A gap is the accuracy below the full precision that a run started from.",
    ),
    tableOf(`${shortTitle(page)}: tolerances, top-1 in percent and gaps in points`, results, {
      fields: [
        naming("Method", ({ tolerance }) => armOf(page, tolerance.arm).title),
        words("Model", ({ tolerance }) => modelTitle(tolerance.model)),
        words("Bits", ({ tolerance: { bits } }) => bits === null ? "FP" : formatBits(bits)),
        words("Protocol", ({ protocol }) => protocolTitle(protocol)),
        words("Quantity", ({ tolerance }) => tolerance.quantity === "top1" ? "top-1" : "gap to own FP"),
        words(
          "Range",
          ({ tolerance: { least, most } }) =>
            least === null ? `at most ${points(most)}` : `${points(least)} to ${points(most)}`,
        ),
        words("Must be", ({ tolerance }) => tolerance.inside ? "inside" : "outside"),
        numbers("Ours, mean (n)", ({ mean, values }) => mean === null ? "" : `${points(mean)} (${values.length})`),
        words("By seed", ({ values }) => values.map(({ seed, value }) => `${seed}: ${points(value)}`).join(", ")),
        words("Is", ({ place }) => place),
        words("Result", ({ holds }) => holds === null ? "not run" : holds ? "holds" : "missed"),
        words("Range from", ({ tolerance }) => tolerance.source),
      ],
    }),
  ];
}
