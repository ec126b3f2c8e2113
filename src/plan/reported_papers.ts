import { movedFrom, onQuantizer } from "../catalog/moved_arm.ts";
import { type ArmTitle, isInTable, type Paper, type Table } from "../catalog/paper.ts";
import type { Suite } from "../catalog/suite.ts";
import type { RunRecord } from "../record/record.ts";

/** A run, and the row that it has in a table. */
interface Extra {
  readonly spec: RunRecord["spec"];
  readonly arm: ArmTitle;
}

/**
 * Prepares papers for a report: with the changes of their tables among their deviations, and with tables of their own for
 * runs that are in no table of theirs: arms on another quantizer, other bits, arms of another paper. Such runs fill no cell
 * of a paper.
 *
 * Every run of a plan is then in a table. A run that stays out has an arm that no paper of the suite knows, or is a trial on
 * held-out images.
 */
export function reportedPapers(
  papers: readonly Paper<ArmTitle>[],
  { records, suite }: { readonly records: readonly Pick<RunRecord, "spec">[]; readonly suite: Suite },
): Paper<ArmTitle>[] {
  const tables = papers.flatMap(({ tables }) => tables);
  const outside = records.filter(({ spec: { protocol, dataset, arm, quantization } }) => {
    const { weightBits, activationBits } = quantization ?? { weightBits: null, activationBits: null };
    const row = { protocol, dataset: dataset.name, arm, weightBits, activationBits };
    return dataset.evaluateOn === "test" && !tables.some((table) => isInTable(table, row));
  });
  return papers.map((paper) => {
    const runs = outside.flatMap(({ spec }): Extra[] => {
      const arm = rowOf(spec.arm, paper, { papers, suite });
      return arm ? [{ spec, arm }] : [];
    });
    const known = new Set(paper.arms.map(({ id }) => id));
    return {
      ...paper,
      tables: [...paper.tables, ...extraTables(paper, runs, suite)],
      arms: [...paper.arms, ...rowsOf(runs).filter(({ id }) => !known.has(id))],
      deviations: [...paper.deviations, ...paper.tables.flatMap((table) => changesText(table) ?? [])],
    };
  });
}

/** Writes the changes of a table in the words of a run's spec, as each run's page has them too; null: nothing is changed. */
function changesText({ id, changes }: Table<ArmTitle>): string | null {
  const values = Object.entries({ ...changes?.dataset, ...changes?.recipe });
  const texts = values.map(([name, value]) => `${name} ${value ?? "all"}`);
  return texts.length === 0 ? null : `Table ${id}, in place of the protocol's: ${texts.join(", ")}`;
}

/**
 * Finds the row of an arm on the paper's page: its own, or on another quantizer its base's. An arm that none of the papers
 * has is a row of each. Null: it is another paper's, or unknown.
 */
function rowOf(
  id: string,
  paper: Paper<ArmTitle>,
  { papers, suite }: { readonly papers: readonly Paper<ArmTitle>[]; readonly suite: Suite },
): ArmTitle | null {
  const moved = movedFrom(id, suite.baseline.id), isBase = (arm: ArmTitle) => arm.id === (moved?.base ?? id);
  const isElsewhere = papers.some(({ arms }) => arms.some(isBase));
  const base = paper.arms.find(isBase) ??
    (isElsewhere ? undefined : suite.papers.flatMap(({ arms }) => arms).find(isBase));
  if (base === undefined) return null;
  if (moved === null) return base;
  const plain = onQuantizer(suite.baseline, { quantizer: moved.quantizer, suite });
  if (plain.id === id) return { id, title: plain.title, label: plain.label };
  // a gain of the method is one over plain training on the same quantizer
  return { id, title: `${base.title}, on quantizer ${moved.quantizer}`, label: base.label, controls: [plain.id] };
}

function rowsOf(runs: readonly Extra[]): ArmTitle[] {
  return [...new Map(runs.map(({ arm }) => [arm.id, arm])).values()].sort((a, b) => a.id < b.id ? -1 : 1);
}

/** Makes a table for each data set and each reason to be in no other table. */
function extraTables({ id }: Paper<ArmTitle>, runs: readonly Extra[], { baseline }: Suite): Table<ArmTitle>[] {
  const isMoved = ({ arm }: Extra) => movedFrom(arm.id, baseline.id) !== null;
  const kinds = [
    { kind: "quantizers", words: "methods on another quantizer than their own", runs: runs.filter(isMoved) },
    { kind: "beyond", words: "runs that are in no other table", runs: runs.filter((run) => !isMoved(run)) },
  ];
  return kinds.flatMap(({ kind, words, runs }) => {
    const datasets = [...Map.groupBy(runs, ({ spec }) => spec.dataset.name)].sort(([a], [b]) => a < b ? -1 : 1);
    return datasets.map(([dataset, own]): Table<ArmTitle> => ({
      id: `${id}-${kind}-${dataset}`,
      title: `${id}-${kind}: ${words} (ours: no published cells), ${dataset}`,
      dataset,
      models: [...new Set(own.map(({ spec }) => spec.model))],
      bits: bitsOf(own),
      arms: rowsOf(own),
    }));
  });
}

/** Lists the bits of runs, the widest first. */
function bitsOf(runs: readonly Extra[]): Table["bits"] {
  const bits = new Map(runs.flatMap(({ spec: { quantization } }) => {
    if (quantization === null) return [];
    const { weightBits: weights, activationBits: activations } = quantization;
    return [[10 * weights + activations, { weights, activations }] as const];
  }));
  return [...bits].sort(([a], [b]) => b - a).map(([, pair]) => pair);
}
