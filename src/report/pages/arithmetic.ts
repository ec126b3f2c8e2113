/** The methods of the core table by the arithmetic that trained them: engine, and precision of the gradients. */
import { bitsTitle } from "../../catalog/bits.ts";
import type { CoreTable } from "../../catalog/suite.ts";
import { protocolLabel, protocolOf, type RunSpec } from "../../record/spec.ts";
import { type Aggregate, type Cell, keyText } from "../judge/aggregate.ts";
import { difference, mean, standardDeviation } from "../judge/statistics/basics.ts";
import { pairedDifference, type SeedDifference } from "../judge/statistics/paired.ts";
import { points, signed } from "../labels.ts";
import { type Block, heading, paragraph, type TableCell } from "./blocks.ts";
import { armTitle } from "../../catalog/titles.ts";
import { differenceText, overSeeds } from "./results.ts";

/** In the order of the columns; each but the first is compared with the one before. */
const ARITHMETICS:
  readonly (Pick<RunSpec, "engine" | "precision"> & { readonly title: string; readonly less: string })[] = [
    { title: "float32", engine: "tensorflow", less: "" },
    { title: "Integers", engine: "onednn", less: "Integers less float32" },
    {
      title: "Integers, bf16 gradients",
      engine: "onednn",
      precision: "bf16",
      less: "bf16 gradients less float32 ones",
    },
  ];

/** One row for each method and width that at least two arithmetics have run; none: nothing. */
export function arithmeticBlocks(core: CoreTable, { byKey }: Pick<Aggregate, "byKey">): Block[] {
  const { model, dataset, arms, bits } = core, protocol = protocolOf(core.protocol);
  const widths = [null, ...bits].map((width) => ({
    weightBits: width?.weights ?? null,
    activationBits: width?.activations ?? null,
  }));
  const rows = widths.flatMap((width) =>
    arms.map((arm) => {
      const cells = ARITHMETICS.map((arithmetic) =>
        byKey.get(
          keyText({ protocol: protocolLabel({ protocol, ...arithmetic }), dataset, model, arm: arm.id, ...width }),
        )
      );
      return { arm, width, cells: cells.map((cell) => cell?.done.length ? cell : undefined) };
    })
  ).filter(({ cells }) => cells.filter((cell) => cell !== undefined).length > 1);
  if (rows.length === 0) return [];
  return [
    heading(2, "The same trainings in other arithmetic"),
    paragraph(
      "float32: engine tensorflow or wasm. Integers: engine onednn, which multiplies the integers of quantized layers as " +
        "such. bf16 gradients: its convolution gradients from operands in bfloat16 (docs/engine.md). Everything was trained " +
        "anew from the same seed, full precision too. A difference is what the arithmetic does plus the chance of one more " +
        "training: after the first rounding that differs, the whole training does.",
    ),
    {
      kind: "table",
      caption: "One method in several arithmetics: top-1 of the runs, differences paired by seed",
      columns: [
        { title: "Method", align: "left", names: true },
        { title: "Bits", align: "left" },
        ...ARITHMETICS.map(({ title }) => ({ title, align: "right" as const })),
        ...ARITHMETICS.slice(1).map(({ less }) => ({ title: `${less} [95 %]`, align: "right" as const })),
      ],
      rows: rows.map(({ arm, width, cells }): TableCell[] => [
        armTitle({ arm }),
        bitsTitle(width),
        ...cells.map((cell) => cell === undefined ? "not run" : overSeeds(cell)),
        ...pairsOf(cells).map((pairs, index) =>
          differenceText(pairs.length === 0 ? null : pairedDifference(pairs), cells[index + 1]?.done.length ?? 0)
        ),
      ]),
      ordered: true,
    },
    ...spreads(rows.map(({ cells }) => pairsOf(cells))),
  ];
}

/** Differences by seed of each arithmetic to the one before. */
function pairsOf(cells: readonly (Cell | undefined)[]): SeedDifference[][] {
  return cells.slice(1).map((cell, index) => {
    const before = new Map(cells[index]?.done.map(({ seed, top1 }) => [seed, top1]));
    return (cell?.done ?? []).filter(({ seed }) => before.has(seed))
      .map(({ seed, top1 }) => ({ seed, difference: difference(top1, before.get(seed)!) }));
  });
}

/** Mean and spread of the differences by seed, over all rows. */
function spreads(rows: readonly SeedDifference[][][]): Block[] {
  const items = ARITHMETICS.slice(1).flatMap(({ less }, index) => {
    const values = rows.flatMap((row) => row[index]!.map((pair) => pair.difference)), sd = standardDeviation(values);
    return sd === null ? [] : [
      `${less}, all ${values.length} pairs: ${signed(mean(values))} points on average, a standard deviation of ${
        points(sd)
      }`,
    ];
  });
  return items.length === 0 ? [] : [{ kind: "list", items }];
}
