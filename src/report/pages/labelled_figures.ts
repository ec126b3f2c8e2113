/** Accuracy of each method against its bits, and against the work of its training. */
import type { RunSpec } from "../../record/spec.ts";
import { bitsTitle } from "../../catalog/bits.ts";
import { armTitle, modelTitle } from "../../catalog/titles.ts";
import { points } from "../labels.ts";
import type { ReportRow, ReportTable } from "../judge/tables.ts";
import { type Drawing, type FigureBlock, type LabelledSeries, naming, numbers, tableOf } from "./blocks.ts";
import type { GroupFigure } from "./panel_figures.ts";
import { roleOf } from "./results.ts";

/** Work of a run's training. */
export interface TrainingCost {
  /** Labelled images that it sees, each as often as it is seen. */
  readonly images: number;
  /** Forward passes that training on one of them is worth; a gradient counts as two. */
  readonly passes: number;
}

/** Finds the cost of a run; null: not known. */
export type CostOf = (spec: RunSpec) => TrainingCost | null;

type Labelled = Extract<Drawing, { kind: "labelled" }>;

/** Mean accuracy by bits, one figure per model; only methods that ran at two widths. */
export function bitsFigures({ table, rows }: ReportTable, { id }: { readonly id: string }): FigureBlock[] {
  const ran = rows.filter(({ mean }) => mean !== null);
  return [...Map.groupBy(ran, ({ model }) => model)].flatMap(([model, members]): FigureBlock[] => {
    const quantized = members.filter(({ weightBits }) => weightBits !== null);
    const order = ({ weightBits, activationBits }: ReportRow) => 100 * weightBits! + activationBits!;
    const widths = [...new Set(quantized.toSorted((a, b) => order(a) - order(b)).map(bitsTitle))];
    const series = [...Map.groupBy(quantized, ({ arm }) => arm.id).values()].filter(({ length }) => length > 1)
      .map((own): LabelledSeries => ({
        label: armTitle(own[0]!),
        role: roleOf(own[0]!.arm, table.arms),
        points: own.map((row) => ({ x: widths.indexOf(bitsTitle(row)), y: row.mean! })).sort((a, b) => a.x - b.x),
      }));
    if (series.length === 0) return [];
    const full = members.find(({ weightBits }) => weightBits === null);
    return [{
      kind: "figure",
      id: `${id}-${model}`,
      caption: `${modelTitle(model)}: top-1 accuracy by bits, percent`,
      note: "Means over seeds of the methods that ran at more than one width; dashed: full precision.",
      description: `${series.length} methods at ${widths.join(", ")}. All numbers are in the table below.`,
      drawing: {
        kind: "labelled",
        series,
        axes: {
          x: "Bits of weights and activations",
          y: "Top-1, percent",
          names: widths.map((name, at) => ({ at, name })),
        },
        reference: full === undefined ? null : { label: `Full precision ${points(full.mean!)}`, y: full.mean! },
      },
      data: tableOf("", series, {
        fields: [
          naming("Method", ({ label }) => label),
          ...widths.map((width, at) =>
            numbers<LabelledSeries>(width, ({ points: all }) => {
              const found = all.find(({ x }) => x === at);
              return found === undefined ? "" : points(found.y);
            })
          ),
        ],
      }),
    }];
  });
}

const MILLION = 1e6;
/** Fewer points show no trade. */
const LEAST_METHODS = 3;

/** Mean accuracy against training work; nothing for few methods, where all cost the same, or the cost is not known. */
export function costFigure(
  rows: readonly ReportRow[],
  { id, group, records, arms, costOf }: GroupFigure & {
    readonly arms: ReportTable["table"]["arms"];
    readonly costOf: CostOf;
  },
): FigureBlock[] {
  const known = rows.flatMap((row) => {
    const spec = row.seeds[0] && records.get(row.seeds[0].run)!.spec, cost = spec ? costOf(spec) : null;
    return cost === null ? [] : [{ row, cost, work: cost.images * cost.passes / MILLION }];
  });
  if (known.length < LEAST_METHODS || new Set(known.map(({ work }) => work)).size < 2) return [];
  const series = known.map(({ row, work }): LabelledSeries => ({
    label: armTitle(row),
    role: roleOf(row.arm, arms),
    points: [{ x: work, y: row.mean! }],
  }));
  const axes: Labelled["axes"] = { x: "Training images × passes, millions", y: "Top-1, percent" };
  return [{
    kind: "figure",
    id,
    caption: `${group}: top-1 accuracy against training cost`,
    note:
      "Cost: images seen in training, each times the forward passes that its step is worth (a gradient counts as two); " +
      "the full-precision start is not counted, as all share it.",
    description: `${series.length} methods. All numbers are in the table below.`,
    drawing: { kind: "labelled", series, axes, reference: null },
    data: tableOf("", known, {
      fields: [
        naming("Method", ({ row }) => armTitle(row)),
        numbers("Top-1", ({ row }) => points(row.mean!)),
        numbers("Images seen, millions", ({ cost }) => (cost.images / MILLION).toFixed(2)),
        numbers("Passes for an image", ({ cost }) => String(cost.passes)),
        numbers("Images × passes, millions", ({ work }) => work.toFixed(2)),
      ],
    }),
  }];
}
