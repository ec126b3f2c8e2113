/** The methods of the core table at several lengths of training: does a longer one turn their order? */
import { bitsTitle } from "../../catalog/bits.ts";
import type { ArmTitle } from "../../catalog/paper.ts";
import { protocolTitle } from "../../catalog/protocol.ts";
import type { CoreTable } from "../../catalog/suite.ts";
import type { RunRecord } from "../../record/record.ts";
import { partsOfProtocol, type ProtocolLabel } from "../../record/spec.ts";
import { type Aggregate, type Cell, keyText } from "../judge/aggregate.ts";
import { differenceTo, likeRuns } from "../judge/pairs.ts";
import { MINIMUM_SEEDS } from "../judge/decision.ts";
import { BASELINE } from "../judge/rows.ts";
import { mean } from "../judge/statistics/basics.ts";
import { type Block, type FigureBlock, heading, type LabelledSeries, paragraph, type TableBlock } from "./blocks.ts";
import { armTitle } from "../../catalog/titles.ts";
import { differenceText, overSeeds, roleOf } from "./results.ts";

/** One length of the core table's protocol. */
interface Budget {
  readonly label: ProtocolLabel;
  /** Epochs of quantized runs. */
  readonly epochs: number;
}

/** A method at one width, with its cell at each budget. */
interface Row {
  readonly arm: ArmTitle;
  readonly bits: { readonly weightBits: number | null; readonly activationBits: number | null };
  readonly cells: readonly (Cell | undefined)[];
}

/** Everything that the section is made from. */
interface BudgetInput {
  readonly core: CoreTable;
  readonly aggregate: Pick<Aggregate, "cells" | "byKey">;
  readonly records: ReadonlyMap<string, RunRecord>;
}

/** Tables and a figure for each engine and width at which a quantized method ran at two lengths; none: nothing. */
export function budgetBlocks(input: BudgetInput): Block[] {
  const { core, aggregate: { cells } } = input, { base } = partsOfProtocol(core.protocol);
  const own = cells.filter(({ protocol, model, dataset, done }) => {
    const parts = partsOfProtocol(protocol);
    return parts.base === base && parts.start === null && model === core.model && dataset === core.dataset &&
      done.length > 0;
  });
  const blocks = [...Map.groupBy(own, ({ protocol }) => partsOfProtocol(protocol).engine).values()]
    .flatMap((members) => engineBlocks(input, members));
  return blocks.length === 0 ? [] : [
    heading(2, "Shorter and longer training"),
    paragraph(
      "Each column is a protocol of its own: so many epochs for every quantized run, and full precision, warm-up and the " +
        "schedule of the learning rate in proportion (bench --epochs). Differences are to LSQ of the same length and seed; " +
        `one over fewer than ${MINIMUM_SEEDS} decides nothing.`,
    ),
    ...blocks,
  ];
}

function engineBlocks({ core, aggregate: { byKey }, records }: BudgetInput, cells: readonly Cell[]): Block[] {
  const budgets = budgetsOf(cells, records);
  if (budgets.length < 2) return [];
  const cellsOf = (arm: ArmTitle, bits: Row["bits"]) =>
    budgets.map(({ label }) => byKey.get(keyText({ ...core, ...bits, protocol: label, arm: arm.id })));
  return core.bits.flatMap(({ weights: weightBits, activations: activationBits }): Block[] => {
    const rows = core.arms.flatMap((arm): Row[] =>
      [{ weightBits, activationBits }, { weightBits: null, activationBits: null }]
        .map((bits) => ({ arm, bits, cells: cellsOf(arm, bits) }))
    ).filter((row) => row.cells.filter((cell) => cell?.done.length).length > 1);
    const quantized = rows.filter(({ bits }) => bits.weightBits !== null);
    if (quantized.length === 0) return [];
    const { engine } = partsOfProtocol(budgets[0]!.label);
    const title = `${bitsTitle({ weightBits, activationBits })}, protocol ${
      protocolTitle(engine === null ? core.protocol : `${core.protocol}-on-${engine}` as ProtocolLabel)
    } and its other lengths`;
    const methods = quantized.filter(({ arm }) => arm.id !== BASELINE);
    return [
      table(`${title}: top-1`, budgets, rows, overSeeds),
      ...(methods.length === 0 ? [] : [
        table(
          `${title}: difference to LSQ [95 %]`,
          budgets,
          methods,
          (cell) => differenceText(differenceTo(cell.done, likeRuns(cell, { arm: BASELINE, byKey })), cell.done.length),
        ),
      ]),
      figure(title, budgets, { core, rows: quantized, id: `${engine ?? "float32"}-w${weightBits}a${activationBits}` }),
    ];
  });
}

/** The lengths at which a quantized method ran, shortest first. */
function budgetsOf(cells: readonly Cell[], records: ReadonlyMap<string, RunRecord>): Budget[] {
  const epochs = new Map(
    cells.filter(({ weightBits }) => weightBits !== null)
      .map(({ protocol, done }) => [protocol, records.get(done[0]!.id)!.spec.recipe.epochs]),
  );
  return [...epochs].map(([label, epochs]) => ({ label, epochs })).sort((a, b) => a.epochs - b.epochs);
}

function table(
  caption: string,
  budgets: readonly Budget[],
  rows: readonly Row[],
  text: (cell: Cell) => string,
): TableBlock {
  return {
    kind: "table",
    caption,
    columns: [
      { title: "Method", align: "left", names: true },
      ...budgets.map(({ epochs }) => ({ title: `${epochs} epochs`, align: "right" as const })),
    ],
    rows: rows.map(({ arm, cells }) => [
      armTitle({ arm }),
      ...cells.map((cell) => cell?.done.length ? text(cell) : "not run"),
    ]),
    ordered: true,
  };
}

function figure(
  title: string,
  budgets: readonly Budget[],
  { core, rows, id }: { readonly core: CoreTable; readonly rows: readonly Row[]; readonly id: string },
): FigureBlock {
  const series = rows.map(({ arm, cells }): LabelledSeries => ({
    label: armTitle({ arm }),
    role: roleOf(arm, core.arms),
    points: cells.flatMap((cell, x) => cell?.done.length ? [{ x, y: mean(cell.done.map(({ top1 }) => top1)) }] : []),
  }));
  return {
    kind: "figure",
    id: `budgets-${id}`,
    caption: `${title}: top-1 accuracy by epochs, percent`,
    note: "Means over seeds of the methods that ran at more than one length.",
    description:
      `${series.length} methods at ${budgets.map(({ epochs }) => epochs).join(", ")} epochs. All numbers are ` +
      "in the table above.",
    drawing: {
      kind: "labelled",
      series,
      axes: {
        x: "Epochs of quantized training",
        y: "Top-1, percent",
        names: budgets.map(({ epochs }, at) => ({ at, name: String(epochs) })),
      },
      reference: null,
    },
    data: table("", budgets, rows, overSeeds),
  };
}
