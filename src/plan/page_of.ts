import type { PaperPage } from "../catalog/paper.ts";
import type { Paper, TableGrid } from "../catalog/grid.ts";

/** The paper's page for a report: with what its tables change of every protocol among its deviations. */
export function pageOf({ page, grids }: Paper): PaperPage {
  const changes = grids.flatMap((grid) => changesText(grid) ?? []);
  return changes.length === 0 ? page : { ...page, deviations: [...page.deviations, ...changes] };
}

/** In the words of a run's spec, as each run's page has them too; null: nothing is changed. */
function changesText({ id, changes }: TableGrid): string | null {
  const values = Object.entries({ ...changes?.dataset, ...changes?.recipe });
  const texts = values.map(([name, value]) => `${name} ${value ?? "all"}`);
  return texts.length === 0 ? null : `Table ${id}, in place of the protocol's: ${texts.join(", ")}`;
}
