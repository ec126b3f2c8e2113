/** The networks of the core table with batch norm's statistics taken again. */
import { bitsTitle } from "../../catalog/bits.ts";
import type { CoreTable } from "../../catalog/suite.ts";
import type { Measurement } from "../../record/measurement.ts";
import { type MeasuredCell, measuredCells } from "../judge/measured_cells.ts";
import { numberOf } from "../judge/measurements.ts";
import { difference, mean, standardDeviation } from "../judge/statistics/basics.ts";
import { pairedDifference, type SeedDifference } from "../judge/statistics/paired.ts";
import { points } from "../labels.ts";
import { protocolTitle } from "../../catalog/protocol.ts";
import { type Block, heading, paragraph, type TableBlock, type TableCell } from "./blocks.ts";
import { armTitle } from "../../catalog/titles.ts";
import { differenceText, meanText, SAME_SEEDS } from "./results.ts";

const AGAIN = "recalibratedTop1Percent";

/** The core table, and the same methods on another engine, as far as LSQ and a method were measured. */
export function takenAgainBlocks(tables: readonly CoreTable[], measurements: readonly Measurement[]): Block[] {
  const shown = tables.flatMap((core) => core.bits.flatMap((bits) => takenAgainTable(core, bits, measurements) ?? []));
  if (shown.length === 0) return [];
  return [
    heading(2, "With batch norm's statistics taken again"),
    paragraph(
      "A weight that rests on a rounding edge jumps between two levels while it trains, and the running statistics of batch norm " +
        "lag behind. Here each network's statistics are taken again from training images before it is evaluated. Near an " +
        "edge: measurement edge_share (docs/methods.md).",
    ),
    ...shown,
  ];
}

/** One width of the core table, the measured methods alone; null where LSQ or all others are not measured. */
export function takenAgainTable(
  { arms, model, dataset, protocol }: CoreTable,
  bits: CoreTable["bits"][number],
  measurements: readonly Measurement[],
): TableBlock | null {
  const at = { weightBits: bits.weights, activationBits: bits.activations };
  const cellsOf = (name: string) =>
    new Map(
      measuredCells(measurements, name).filter((cell) =>
        cell.model === model && cell.dataset === dataset && cell.protocol === protocol &&
        cell.weightBits === at.weightBits && cell.activationBits === at.activationBits
      ).map((cell) => [cell.arm, cell]),
    );
  const again = cellsOf("norm_recalibration"), edges = cellsOf("edge_share"), lsq = again.get("lsq");
  const measured = arms.filter(({ id }) => again.has(id));
  if (!lsq || measured.length < 2) return null;
  return {
    kind: "table",
    caption: `${bitsTitle(at)}: the same networks with batch norm's statistics taken again, protocol ${
      protocolTitle(protocol)
    }`,
    columns: [
      { title: "Method", align: "left", names: true },
      { title: "Top-1, as trained", align: "right" },
      { title: "Taken again", align: "right" },
      { title: "Difference to LSQ, both taken again [95 %]", align: "right" },
      { title: SAME_SEEDS, align: "right" },
      { title: "Weights near a rounding edge, %", align: "right" },
    ],
    rows: measured.map((arm): TableCell[] => {
      const cell = again.get(arm.id)!, near = edges.get(arm.id);
      const pairs = arm.id === "lsq" ? [] : pairsOf(cell, lsq);
      return [
        armTitle({ arm }),
        overSeeds(cell, "top1Percent"),
        overSeeds(cell, AGAIN),
        pairs.length === 0 ? "" : differenceText(pairedDifference(pairs), cell.measurements.length),
        pairs.length === 0 || pairs.length === lsq.measurements.length ? "" : points(mean(pairs.map(({ lsq }) => lsq))),
        near ? points(100 * mean(near.measurements.map((item) => numberOf(item.values, "share")))) : "",
      ];
    }),
    ordered: true,
  };
}

/** Differences, and LSQ itself, over the seeds that both have. */
function pairsOf(cell: MeasuredCell, lsq: MeasuredCell): (SeedDifference & { readonly lsq: number })[] {
  const others = new Map(lsq.measurements.map(({ spec, values }) => [spec.seed, numberOf(values, AGAIN)]));
  return cell.measurements.filter(({ spec }) => others.has(spec.seed)).map(({ spec: { seed }, values }) => ({
    seed,
    difference: difference(numberOf(values, AGAIN), others.get(seed)!),
    lsq: others.get(seed)!,
  }));
}

function overSeeds({ measurements }: MeasuredCell, name: string): string {
  const values = measurements.map((item) => numberOf(item.values, name));
  return meanText({ mean: mean(values), sd: standardDeviation(values), n: values.length });
}
