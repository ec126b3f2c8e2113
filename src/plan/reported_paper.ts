import { movedFrom, onQuantizer } from "../catalog/moved_arm.ts";
import type { ArmTitle, Paper, Table } from "../catalog/paper.ts";
import type { Suite } from "../catalog/suite.ts";
import type { RunRecord } from "../record/record.ts";

/**
 * The paper as a report shows it: with the changes of its tables among its deviations, and one more table for each data set
 * that has runs of `--quantizer`. Those are arms of the paper on a quantizer that is not their own. They fill no cell of the
 * paper's tables; the baseline stands beside them, as what every difference is taken to.
 */
export function reportedPaper(
  paper: Paper<ArmTitle>,
  { records, suite }: { readonly records: readonly RunRecord[]; readonly suite: Suite },
): Paper<ArmTitle> {
  const { tables, arms } = movedTables(paper, { records, suite });
  const changes = paper.tables.flatMap((table) => changesText(table) ?? []);
  return {
    ...paper,
    tables: [...paper.tables, ...tables],
    arms: [...paper.arms, ...arms],
    deviations: [...paper.deviations, ...changes],
  };
}

/** The changes of a table in the words of a run's spec, as each run's page has them too; null: nothing is changed. */
function changesText({ id, changes }: Table<ArmTitle>): string | null {
  const values = Object.entries({ ...changes?.dataset, ...changes?.recipe });
  const texts = values.map(([name, value]) => `${name} ${value ?? "all"}`);
  return texts.length === 0 ? null : `Table ${id}, in place of the protocol's: ${texts.join(", ")}`;
}

function movedTables(
  paper: Paper<ArmTitle>,
  { records, suite }: { readonly records: readonly RunRecord[]; readonly suite: Suite },
): Pick<Paper<ArmTitle>, "tables" | "arms"> {
  const moved = records.flatMap(({ spec }) => {
    const arm = spec.quantization && movedArm(paper, { id: spec.arm, suite });
    return arm ? [{ spec, arm, quantization: spec.quantization! }] : [];
  });
  const byId = (a: ArmTitle, b: ArmTitle) => a.id < b.id ? -1 : 1;
  const armsOf = (runs: typeof moved) => [...new Map(runs.map(({ arm }) => [arm.id, arm])).values()].sort(byId);
  const datasets = [...Map.groupBy(moved, ({ spec }) => spec.dataset.name)].sort(([a], [b]) => a < b ? -1 : 1);
  const tables = datasets.map(([dataset, runs]): Table<ArmTitle> => {
    const bits = new Map(runs.map(({ quantization: { weightBits: weights, activationBits: activations } }) => {
      return [10 * weights + activations, { weights, activations }];
    }));
    return {
      id: `${paper.id}-quantizers-${dataset}`,
      title:
        `${paper.id}-quantizers: methods on another quantizer than their own (ours: no published cells), ${dataset}`,
      dataset,
      models: [...new Set(runs.map(({ spec }) => spec.model))],
      bits: [...bits].sort(([a], [b]) => b - a).map(([, pair]) => pair),
      arms: [suite.baseline, ...armsOf(runs)],
    };
  });
  return { tables, arms: armsOf(moved) };
}

/** A moved arm with its control, plain training on the same quantizer; null: it comes from no row of the paper. */
function movedArm(
  paper: Paper<ArmTitle>,
  { id, suite }: { readonly id: string; readonly suite: Suite },
): ArmTitle | null {
  const moved = movedFrom(id, suite.baseline.id), base = paper.arms.find((arm) => arm.id === moved?.base);
  if (moved === null || base === undefined) return null;
  const plain = onQuantizer(suite.baseline, { quantizer: moved.quantizer, suite });
  if (plain.id === id) return { id, title: plain.title, label: plain.label };
  // a gain of the method is one over plain training on the same quantizer
  return { id, title: `${base.title}, on quantizer ${moved.quantizer}`, label: base.label, controls: [plain.id] };
}
