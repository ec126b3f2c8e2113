import type { ArmTitle, PaperPage } from "../catalog/paper.ts";
import type { RunRecord } from "../record/record.ts";
import { LSQ, onQuantizer } from "../../benchmarks/arms.ts";
import { knownArms } from "./tables.ts";

/** The parts of an id such as `fpq@pact`; null: no arm that `--quantizer` has moved. */
function partsOf(arm: string): { base: string; quantizer: string } | null {
  const [base, quantizer] = arm.split("@");
  return base && quantizer ? { base, quantizer } : null;
}

/** The title of a moved arm of the page; null: its base is no row of the page. `qat` is the base of every page's LSQ. */
function titleOf(page: PaperPage, arm: string): ArmTitle | null {
  const parts = partsOf(arm);
  if (parts === null) return null;
  const base = page.arms.find(({ id }) => id === (parts.base === "qat" ? "lsq" : parts.base));
  if (!base) return null;
  const on = `on quantizer ${parts.quantizer}`;
  if (parts.base === "qat") return { id: arm, title: `Plain training, ${on}`, label: base.label };
  // a gain of the method is one over plain training on the same quantizer
  const plain = onQuantizer(LSQ, parts.quantizer, knownArms()).id;
  return { id: arm, title: `${base.title}, ${on}`, label: base.label, controls: [plain] };
}

/**
 * The page with a table more for each data set that has runs of `--quantizer`: arms of the page on a quantizer that is not
 * their own. They fill no cell of the paper's tables; LSQ stands beside them, as what every difference is taken to.
 */
export function withMovedArms(page: PaperPage, records: readonly RunRecord[]): PaperPage {
  const titles = new Map<string, ArmTitle>(), tables: PaperPage["tables"][number][] = [];
  const moved = records.filter(({ spec }) => spec.quantization !== null && titleOf(page, spec.arm) !== null);
  for (const { spec } of moved) titles.set(spec.arm, titleOf(page, spec.arm)!);
  for (const dataset of [...new Set(moved.map(({ spec }) => spec.dataset.name))].sort()) {
    const own = moved.filter(({ spec }) => spec.dataset.name === dataset);
    const bits = new Map(own.map(({ spec: { quantization } }) => {
      const { weightBits: weights, activationBits: activations } = quantization!;
      return [10 * weights + activations, { weights, activations }];
    }));
    tables.push({
      id: `${page.id}-quantizers-${dataset}`,
      title:
        `${page.id}-quantizers: methods on another quantizer than their own (ours: no published cells), ${dataset}`,
      dataset,
      arms: ["lsq", ...[...new Set(own.map(({ spec }) => spec.arm))].sort()],
      bits: [...bits].sort(([a], [b]) => b - a).map(([, pair]) => pair),
    });
  }
  const sorted = [...titles.values()].sort((a, b) => a.id < b.id ? -1 : 1);
  return { ...page, tables: [...page.tables, ...tables], arms: [...page.arms, ...sorted] };
}
